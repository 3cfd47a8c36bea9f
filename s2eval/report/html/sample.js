"use strict";
// One sample as elements of the page: what was asked, and what each model made of it. Texts are only ever set as text.
const s2sample = (() => {
  const LONG = 20000;
  const { value } = s2samples;

  const make = (tag, content, properties) => {
    const one = Object.assign(document.createElement(tag), properties);
    if (content !== undefined && content !== null) one.append(content);
    return one;
  };
  const number = (one) => Number.isInteger(one) ? String(one) : String(Number(one.toPrecision(5)));

  function plain(text, end = false) {
    const block = make("pre", text.length > LONG ? text.slice(0, LONG) : text, { tabIndex: 0, dir: "auto" });
    if (end) queueMicrotask(() => { block.scrollTop = block.scrollHeight; });
    if (text.length <= LONG) return block;
    const button = make("button", `Show all ${text.length.toLocaleString("en")} characters`, { type: "button" });
    button.addEventListener("click", () => {
      block.classList.add("long");
      block.textContent = text;
      button.remove();
      block.focus();
    });
    const both = make("div", block);
    both.append(button);
    return both;
  }

  function written(one, markdown) {
    if (!(markdown && one.h)) return plain(one.t);
    // Cleaned when the report was made (nh3): no script, link, image or attribute; the page's policy forbids them too.
    const parsed = new DOMParser().parseFromString(one.h, "text/html");
    const block = make("div", null, { className: "marked", tabIndex: 0, dir: "auto" });
    block.append(...parsed.body.childNodes);
    return block;
  }

  function questions(set, document_) {
    const parts = [];
    document_.p.forEach((one, number) => {
      const users = document_.v.flatMap((own, model) => own === number ? [set.models[model]] : []);
      const to = document_.p.length > 1 ? ` to ${users.join(", ")}` : "";
      const turns = one.x.length > 1 && !one.c;
      one.x.forEach((text, at) => {
        const start = one.s?.[at] ?? 0;
        parts.push(make("h4", `${turns ? `Question, turn ${at + 1}` : start ? "Question" : "Prompt"}${to}`), plain(text.slice(start), true));
        if (start) {
          const before = make("details", make("summary", `Before the question: instructions and shots, ${start.toLocaleString("en")} characters`));
          before.append(plain(text.slice(0, start)));
          parts.push(before);
        }
      });
      if (one.o) {
        const details = make("details", make("summary", "How it was generated"));
        details.append(plain(one.o));
        parts.push(details);
      }
      if (one.t && !one.c) parts.push(make("h4", "Target"), plain(one.t));
    });
    return parts;
  }

  // Continuations of a prompt with each model's log-likelihoods.
  function continuations(set, document_, models) {
    return document_.p.flatMap((one, question) => {
      const asked = models.filter((model) => document_.v[model] === question && document_.a[model]?.r);
      if (!one.c || !asked.length) return [];
      const head = make("tr", make("th", "continuation", { scope: "col" }));
      for (const model of asked) head.append(make("th", set.models[model], { scope: "col", className: "n" }));
      const best = asked.map((model) => document_.a[model].r.reduce((top, x, at, all) => x !== null && (top < 0 || x > all[top]) ? at : top, -1));
      const rows = one.c.map(([, text], at) => {
        const target = one.k ? one.k.includes(at) : one.t !== "" && text.trim() === one.t.trim();
        const row = make("tr", make("th", `${text.trim() || text}${target ? "  ◂ target" : ""}`, { scope: "row", className: "choice", dir: "auto" }));
        asked.forEach((model, column) => {
          const x = document_.a[model].r[at];
          row.append(make("td", x === undefined || x === null ? "–" : `${best[column] === at ? "▸ " : ""}${x.toFixed(2)}`,
            { className: best[column] === at ? "n picked" : "n" }));
        });
        return row;
      });
      const table = make("table");
      table.append(make("thead", head), make("tbody"));
      table.tBodies[0].append(...rows);
      const scroll = make("div", table, { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Log-likelihoods" });
      return [make("h4", "Log-likelihood of each continuation (▸ the model's highest)"), scroll,
        ...(one.w || one.t ? [make("h4", "Target"), plain(one.w || one.t)] : [])];
    });
  }

  function card(set, document_, model, at, markdown) {
    const one = make("section", make("h4", set.models[model]), { className: "answer" });
    const scores = make("ul", null, { className: "scores" });
    set.metrics.forEach((metric, column) => {
      const x = value(set, model, column, at);
      if (x === x) scores.append(make("li", `${metric} ${number(x)}`));
    });
    if (scores.childElementCount) one.append(scores);
    const answer = document_.a[model];
    if (!answer) one.append(make("p", "No text was kept.", { className: "soft" }));
    for (const text of answer?.x ?? []) {
      if (text.f) {
        const details = make("details", make("summary", text.l));
        details.append(written(text, markdown));
        one.append(details);
      } else {
        if (text.l) one.append(make("h4", text.l));
        one.append(text.t === "" ? make("p", "(empty)", { className: "soft" }) : written(text, markdown));
      }
    }
    return one;
  }

  return { make, number, questions, continuations, card };
})();
