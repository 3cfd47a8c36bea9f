"use strict";
// What lies in the pieces of the page: the columns of a set, which are searched in memory, and its texts, chunk by chunk.
const s2samples = (() => {
  const KEPT = 6;
  const about = JSON.parse(document.getElementById("sets").textContent);

  // A piece is base64 of gzip, in this page or in a script beside it, which tells the page that it belongs to.
  const waiting = new Map();
  globalThis.s2piece = (name, key, text) => { waiting.get(name)?.(key, text); waiting.delete(name); };
  const encoded = (name) => {
    const own = document.getElementById(`piece-${name}`);
    if (own) return Promise.resolve(own.textContent);
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const from = `${decodeURIComponent(about.folder)}/${name}.js`;
      waiting.set(name, (key, text) => key === about.key ? resolve(text)
        : reject(new Error(`${from} belongs to another page: make the report again`)));
      script.src = `${about.folder}/${name}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        waiting.delete(name);
        script.remove();
        reject(new Error(`${from} is missing: it belongs beside this page`));
      };
      document.head.append(script);
    });
  };
  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), found = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at++) found[at] = raw.charCodeAt(at);
    return found;
  };
  const inflated = async (name) => {
    const packed = new Blob([bytes(await encoded(name))]);
    return new Response(packed.stream().pipeThrough(new DecompressionStream("gzip")));
  };
  const sets = about.sets.map((one, number) => ({ ...one, number, chunks: new Map() }));
  const columns = (set) => set.ready ||= (async () => {
    const [told, numbers] = await Promise.all([
      inflated(`${set.number}-columns`).then((one) => one.json()),
      inflated(`${set.number}-numbers`).then((one) => one.arrayBuffer()),
    ]);
    Object.assign(set, told, { values: new Float32Array(numbers) });
    set.lower = set.titles.map((one) => one.toLowerCase());
    set.place = new Map(set.names.map((name, at) => [name, at]));
  })();
  const chunkText = async (set, chunk) => (await inflated(`${set.number}-${chunk}`)).text();
  const documents = (set, chunk) => {
    const known = set.chunks.get(chunk);
    set.chunks.delete(chunk);
    const found = known || chunkText(set, chunk).then(JSON.parse);
    set.chunks.set(chunk, found);
    if (set.chunks.size > KEPT) set.chunks.delete(set.chunks.keys().next().value);
    return found;
  };
  const chunkOf = (set, at) => {
    let low = 0, high = set.firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (set.firsts[middle] <= at) low = middle; else high = middle - 1;
    }
    return low;
  };
  const value = (set, model, metric, at) => set.values[(model * set.metrics.length + metric) * set.documents + at];

  return { sets, columns, documents, chunkText, chunkOf, value };
})();
