"use strict";
// Theme, sorting of tables, printing. Nothing is kept between visits, nothing is fetched.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const tell = () => { button.textContent = current() === "dark" ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    tell();
  });
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  if (asked === "dark" || asked === "light") root.dataset.theme = asked;
  dark.addEventListener("change", tell);
  button.hidden = false;
  tell();

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

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
})();
