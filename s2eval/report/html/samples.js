"use strict";
// The browser of samples.
(() => {
  const PAGE = 50;
  const { sets, columns, documents, chunkText, chunkOf, value } = s2samples;
  const { make, number, questions, continuations, card } = s2sample;
  const $ = (id) => document.getElementById(id);
  const form = $("filter"), article = $("sample"), count = $("count");

  // --- state ----------------------------------------------------------------------------------------------------
  const state = { set: sets[0], found: [], page: 0, open: -1, hidden: new Set(), markdown: false, turn: 0 };
  const options = (select, listed, chosen) => {
    select.replaceChildren(...listed.map(([name, text]) => make("option", text, { value: name })));
    if (listed.some(([name]) => name === chosen)) select.value = chosen;
  };
  const chosen = () => ({
    metric: Math.max(0, state.set.metrics.indexOf($("metric").value)),
    a: Math.max(0, state.set.models.indexOf($("a").value)),
    b: state.set.models.indexOf($("b").value),
  });

  function fill(wanted = {}) {
    const { set } = state;
    options($("metric"), set.metrics.map((one) => [one, one]), wanted.metric ?? $("metric").value);
    options($("a"), set.models.map((one) => [one, one]), wanted.a ?? $("a").value);
    options($("b"), [["", "none"], ...set.models.map((one) => [one, one])], wanted.b ?? $("b").value);
    const boxes = set.models.map((one) => {
      const box = make("input", null, { type: "checkbox", checked: !state.hidden.has(one) });
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(one); else state.hidden.add(one);
        list();
        show(state.open);
      });
      const label = make("label", box);
      label.append(one);
      return label;
    });
    $("shown").lastElementChild.replaceChildren(...boxes);
    $("shown").hidden = set.models.length < 2;
    choices(wanted);
  }

  function choices(wanted = {}) {
    const { metric, b } = chosen();
    const binary = state.set.binary[metric];
    const pair = b < 0 ? [] : binary
      ? [["above", "A right, B wrong"], ["below", "A wrong, B right"], ["differ", "A and B differ"], ["same", "A and B alike"]]
      : [["above", "A higher than B"], ["below", "A lower than B"], ["differ", "A and B differ"], ["same", "A and B alike"]];
    const alone = binary ? [["right", "A right"], ["wrong", "A wrong"]] : [];
    const show = wanted.show ?? $("show").value, order = wanted.order ?? $("order").value;
    options($("show"), [["", "all"], ...alone, ["missing", "A without a score"], ...pair], show);
    options($("order"), [
      ["", "as in the task"], ["up", "A, lowest first"], ["down", "A, highest first"],
      ...(b < 0 ? [] : [["gain", "A − B, highest first"], ["loss", "A − B, lowest first"]]),
    ], order);
  }

  const shownModels = () => {
    const { a, b } = chosen();
    const all = state.set.models.map((_, at) => at);
    return [...new Set([a, ...(b < 0 ? [] : [b]), ...all])].filter((at) => !state.hidden.has(state.set.models[at]));
  };

  // --- filtering ------------------------------------------------------------------------------------------------
  const kinds = {
    above: (x, y) => x > y, below: (x, y) => x < y, differ: (x, y) => x !== y && x === x && y === y, same: (x, y) => x === y,
    right: (x) => x === 1, wrong: (x) => x === 0, missing: (x) => x !== x,
  };

  async function filter({ keep = false } = {}) {
    const turn = ++state.turn;
    const { set } = state;
    await columns(set);
    if (turn !== state.turn) return;
    const { metric, a, b } = chosen();
    const kind = kinds[$("show").value], order = $("order").value;
    const low = $("low").value === "" ? -Infinity : +$("low").value;
    const high = $("high").value === "" ? Infinity : +$("high").value;
    const bounded = low > -Infinity || high < Infinity;
    const first = (a * set.metrics.length + metric) * set.documents;
    const second = b < 0 ? first : (b * set.metrics.length + metric) * set.documents;
    const words = $("query").value.toLowerCase().trim();
    const candidates = [];
    for (let at = 0; at < set.documents; at++) {
      const x = set.values[first + at];
      if (kind && !kind(x, set.values[second + at])) continue;
      if (bounded && !(x >= low && x <= high)) continue;
      candidates.push(at);
    }
    let found = candidates;
    if (words) {
      const inTitle = (at) => set.lower[at].includes(words) || set.names[at] === words || partOf(set, at).toLowerCase().includes(words);
      found = candidates.filter(inTitle);
      if ($("everywhere").checked) found = await everywhere(set, candidates, words, turn);
      if (turn !== state.turn) return;
    }
    const key = {
      up: (at) => set.values[first + at], down: (at) => -set.values[first + at],
      gain: (at) => set.values[second + at] - set.values[first + at], loss: (at) => set.values[first + at] - set.values[second + at],
    }[order];
    if (key) {
      const worth = (at) => { const one = key(at); return one === one ? one : Infinity; };
      found = [...found].sort((one, other) => { const x = worth(one), y = worth(other); return x < y ? -1 : x > y ? 1 : one - other; });
    }
    state.found = found;
    const place = found.indexOf(state.open);
    state.page = keep && place >= 0 ? Math.floor(place / PAGE) : 0;
    count.textContent = `${found.length.toLocaleString("en")} of ${set.documents.toLocaleString("en")} samples`;
    list();
    remember();
  }

  async function everywhere(set, candidates, words, turn) {
    // Letters outside ASCII stand in the chunk as they are; quotes and line ends are escaped there as in this pattern.
    const pattern = JSON.stringify(words).slice(1, -1);
    const found = [], last = set.firsts.length;
    let next = 0;
    for (let chunk = 0; chunk < last; chunk++) {
      const end = chunk + 1 < last ? set.firsts[chunk + 1] : set.documents;
      const own = [];
      while (next < candidates.length && candidates[next] < end) own.push(candidates[next++]);
      if (!own.length) continue;
      const text = await chunkText(set, chunk);
      if (turn !== state.turn) return [];
      if (text.toLowerCase().includes(pattern)) {
        const read = JSON.parse(text);
        for (const at of own) {
          if (JSON.stringify(read[at - set.firsts[chunk]]).toLowerCase().includes(pattern) || set.lower[at].includes(words)) found.push(at);
        }
      } else found.push(...own.filter((at) => set.lower[at].includes(words)));
      count.textContent = `Searching ${Math.round(100 * (chunk + 1) / last)}%: ${found.length.toLocaleString("en")} found`;
    }
    return found;
  }

  const partOf = (set, at) => set.part.length ? set.parts[set.part[at]] : "";

  // --- list -----------------------------------------------------------------------------------------------------
  function mark(element, set, metric, one) {
    if (one !== one) { element.append("–"); return; }
    if (!set.binary[metric]) { element.append(number(one)); return; }
    element.classList.add(one ? "right" : "wrong");
    element.append(make("span", one ? "right" : "wrong", { className: "unseen" }));
  }

  function list() {
    const { set, found } = state;
    const { metric } = chosen();
    const models = shownModels();
    const table = document.querySelector("table.list");
    const head = make("tr");
    head.append(make("th", "no.", { scope: "col", className: "id" }), make("th", "question", { scope: "col" }));
    const wide = article.hidden ? models.slice(0, 12) : models.slice(0, 2);
    const narrow = matchMedia("(max-width: 40rem)").matches ? wide.slice(0, 2) : wide;
    for (const model of narrow) head.append(make("th", set.models[model], { scope: "col", className: "score", title: set.models[model] }));
    table.tHead.replaceChildren(head);
    const rows = found.slice(state.page * PAGE, (state.page + 1) * PAGE).map((at) => {
      const row = make("tr");
      if (at === state.open) row.setAttribute("aria-current", "true");
      const button = make("button", set.titles[at] || `document ${set.names[at]}`, { type: "button", title: set.titles[at] });
      button.dataset.at = at;
      row.append(make("td", set.names[at], { className: "id" }), make("th", button, { scope: "row" }));
      for (const model of narrow) {
        const cell = make("td", null, { className: "score" });
        mark(cell, set, metric, value(set, model, metric, at));
        row.append(cell);
      }
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    $("page").textContent = `Page ${state.page + 1} of ${pages.toLocaleString("en")}`;
    $("before").disabled = state.page === 0;
    $("after").disabled = state.page >= pages - 1;
  }

  // --- one sample -----------------------------------------------------------------------------------------------
  async function show(at, { focus = false } = {}) {
    const was = state.open;
    state.open = at;
    if (at < 0) {
      article.hidden = true;
      document.querySelector(".browser").classList.remove("open");
      if (was >= 0) { list(); remember(); document.querySelector(`button[data-at="${was}"]`)?.focus(); }
      return;
    }
    const { set } = state;
    const chunk = chunkOf(set, at);
    let read;
    try { read = (await documents(set, chunk))[at - set.firsts[chunk]]; }
    catch (error) { set.chunks.delete(chunk); count.textContent = error.message; return; }
    if (state.open !== at || state.set !== set) return;
    const models = shownModels();
    const place = state.found.indexOf(at);
    const button = (text, to) => {
      const one = make("button", text, { type: "button", disabled: to === undefined });
      one.addEventListener("click", () => go(to));
      return one;
    };
    const part = partOf(set, at);
    const bar = make("div", make("h3", `${set.name}, no. ${set.names[at]}${part ? ` (${part})` : ""}`), { className: "bar" });
    const markdown = make("button", state.markdown ? "As text" : "As Markdown", { type: "button" });
    markdown.addEventListener("click", () => { state.markdown = !state.markdown; show(at, { focus: true }); });
    if (read.a.some((one) => one?.x?.some((text) => text.h))) bar.append(markdown);
    const close = make("button", "Close", { type: "button" });
    close.addEventListener("click", () => show(-1));
    bar.append(button("Previous", state.found[place - 1]), button("Next", place < 0 ? state.found[0] : state.found[place + 1]), close);
    const answers = make("div", null, { className: "answers" });
    answers.append(...models.map((model) => card(set, read, model, at, state.markdown)));
    article.replaceChildren(bar, ...questions(set, read), ...continuations(set, read, models), make("h4", "Answers and scores"), answers);
    article.hidden = false;
    document.querySelector(".browser").classList.add("open");
    if (place >= 0) state.page = Math.floor(place / PAGE);
    list();
    remember();
    if (focus) {
      article.focus({ preventScroll: true });
      article.scrollTop = 0;
      article.scrollIntoView({ block: "nearest" });
      if (article.getBoundingClientRect().top < 0 || innerWidth < 1200) article.scrollIntoView({ block: "start" });
    }
  }
  const go = (at) => { if (at !== undefined) return show(at, { focus: true }); };

  // --- address --------------------------------------------------------------------------------------------------
  const KEYS = ["metric", "a", "b", "show", "order", "low", "high"];
  function remember() {
    const told = new URLSearchParams({ task: state.set.name });
    for (const key of KEYS) if ($(key).value && $(key).selectedIndex !== 0) told.set(key, $(key).value);
    if ($("query").value) told.set("q", $("query").value);
    if ($("everywhere").checked) told.set("all", "1");
    if (state.open >= 0) told.set("doc", state.set.names[state.open]);
    const theme = document.documentElement.dataset.theme;
    if (theme) told.set("theme", theme);
    if (state.asked) history.replaceState(null, "", `#${told}`);
  }
  async function recall() {
    const told = new URLSearchParams(location.hash.slice(1));
    const wanted = sets.find((one) => one.name === told.get("task"));
    if (wanted) state.set = wanted;
    state.asked = Boolean(wanted);
    $("task").value = state.set.name;
    fill(Object.fromEntries(KEYS.map((key) => [key, told.get(key) ?? ""])));
    $("low").value = told.get("low") ?? "";
    $("high").value = told.get("high") ?? "";
    $("query").value = told.get("q") ?? "";
    $("everywhere").checked = told.get("all") === "1";
    state.open = -1;
    await filter();
    const at = state.set.place.get(told.get("doc"));
    if (wanted && at !== undefined) {
      await show(at);
      article.scrollIntoView({ block: "start" });
    } else if (!article.hidden) await show(-1);
    if (wanted && at === undefined) $("samples").scrollIntoView({ block: "start" });
  }

  // --- events ---------------------------------------------------------------------------------------------------
  const guarded = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => { count.textContent = error.message; });
  const changed = guarded(async (event) => {
    state.asked = true;
    if (event.target.id === "task") {
      state.set = sets.find((one) => one.name === $("task").value);
      await show(-1);
      fill();
    } else if (["metric", "b"].includes(event.target.id)) choices();
    await filter({ keep: true });
    if (state.open >= 0) await show(state.open);
  });
  form.addEventListener("change", (event) => { if (!["search", "number"].includes(event.target.type)) changed(event); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(guarded(async () => {
    $("task").value = state.set.name;
    state.hidden.clear();
    fill({ metric: "", a: "", b: "", show: "", order: "" });
    await filter({ keep: true });
  })));
  let typing;
  for (const one of ["query", "low", "high"]) $(one).addEventListener("input", () => {
    clearTimeout(typing);
    state.asked = true;
    typing = setTimeout(guarded(() => filter()), $("everywhere").checked ? 300 : 60);
  });
  const turn = (by) => () => { state.page += by; list(); document.querySelector(".rows .scroll").scrollIntoView({ block: "nearest" }); };
  $("before").addEventListener("click", turn(-1));
  $("after").addEventListener("click", turn(1));
  document.querySelector("table.list").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-at]");
    if (button) { state.asked = true; guarded(go)(+button.dataset.at); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typed = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      if (typed) event.target.blur();
      else if (state.open >= 0) guarded(show)(-1);
      return;
    }
    if (typed) return;
    if (event.key === "/") {
      event.preventDefault();
      $("query").focus();
      $("query").select();
      $("samples").scrollIntoView({ block: "start" });
    } else if (event.key === "j" || event.key === "k") {
      const place = state.found.indexOf(state.open);
      state.asked = true;
      guarded(go)(place < 0 ? state.found[0] : state.found[place + (event.key === "j" ? 1 : -1)]);
    }
  });
  addEventListener("hashchange", guarded(async () => { if (location.hash.includes("=")) await recall(); }));
  matchMedia("(max-width: 40rem)").addEventListener("change", () => { if (state.set.values) list(); });

  options($("task"), sets.map((one) => [one.name, `${one.name} (${one.documents.toLocaleString("en")})`]), sets[0].name);
  guarded(recall)();
})();
