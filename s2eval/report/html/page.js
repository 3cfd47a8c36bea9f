"use strict";
// Theme, sorting of tables, printing. Nothing is kept between visits, nothing is fetched.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = current() === "dark" ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    label();
  });
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  if (asked === "dark" || asked === "light") root.dataset.theme = asked;
  dark.addEventListener("change", label);
  button.hidden = false;
  label();

  const text = new Intl.Collator("en", { numeric: true });
  const less = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    return Number.isFinite(+a) && Number.isFinite(+b) ? a - b : text.compare(a, b);
  };
  const sort = (header) => {
    const table = header.closest("table");
    const first = header.dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = header.getAttribute("aria-sort") === first ? other : first;
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const at = header.cellIndex;
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      const value = (row) => row.cells[at].dataset.v;
      // What has no value stays last in either order.
      rows.sort((a, b) => less(value(a), value(b)) * (value(a) === "" || value(b) === "" ? 1 : sign));
      body.append(...rows);
    }
  };
  for (const one of document.querySelectorAll("th > button.sort")) {
    one.addEventListener("click", () => sort(one.parentElement));
  }

  // Columns that are folded away, and tables that are wider than the page.
  for (const button of document.querySelectorAll("button.unfold")) {
    const table = button.nextElementSibling;
    const more = button.textContent;
    const fold = (folded) => {
      table.classList.toggle("folded", folded);
      button.textContent = folded ? more : "Show fewer columns";
      button.ariaExpanded = String(!folded);
      mark(table);
    };
    button.addEventListener("click", () => fold(!table.classList.contains("folded")));
    button.hidden = false;
    queueMicrotask(() => fold(true));
  }
  const mark = (scroll) => {
    const rest = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
    scroll.toggleAttribute("data-more", rest > 4);
    if (rest > 4 && !scroll.nextElementSibling?.classList.contains("hint")) {
      const hint = document.createElement("p");
      hint.className = "hint";
      hint.textContent = "Scroll sideways for more columns →";
      scroll.after(hint);
    }
    const hint = scroll.nextElementSibling;
    if (hint?.classList.contains("hint")) hint.hidden = rest <= 4 && scroll.scrollLeft === 0;
  };
  const sizes = new ResizeObserver((entries) => { for (const entry of entries) mark(entry.target); });
  for (const scroll of document.querySelectorAll(".scroll:not(.browser .scroll)")) {
    scroll.addEventListener("scroll", () => mark(scroll), { passive: true });
    sizes.observe(scroll);
  }

  // Charts as files: the light theme's colours on white.
  const save = (name, blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const standalone = (svg) => {
    const copy = svg.cloneNode(true);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ");
    Object.entries({ width, height, color: "#1b2129" }).forEach(([name, value]) => copy.setAttribute(name, value));
    const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    Object.entries({ width: "100%", height: "100%", fill: "#ffffff" }).forEach(([name, value]) => ground.setAttribute(name, value));
    copy.prepend(ground);
    return new XMLSerializer().serializeToString(copy).replace(/var\(--[\w-]+, (#\w+)\)/g, "$1");
  };
  const asPng = (text, svg) => new Promise((resolve, reject) => {
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const image = new Image();
    image.onerror = () => reject(new Error("the chart cannot be drawn"));
    image.onload = () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: width * 3, height: height * 3 });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(resolve, "image/png");
    };
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  });
  for (const figure of document.querySelectorAll("figure")) {
    const svg = figure.querySelector("svg");
    const bar = document.createElement("div");
    bar.className = "download";
    for (const kind of ["SVG", "PNG"]) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: kind });
      button.setAttribute("aria-label", `Download ${kind}`);
      button.addEventListener("click", async () => {
        const text = standalone(svg);
        save(`${figure.id}.${kind.toLowerCase()}`, kind === "SVG" ? new Blob([text], { type: "image/svg+xml" }) : await asPng(text, svg));
      });
      bar.append(button);
    }
    svg.after(bar);
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
})();
