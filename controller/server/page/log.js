// The output of one attempt: a window of lines in a file of any size. Only what is near to what is
// seen is fetched, by ranges of bytes; at the end it follows, and asks again while it grows.

import { get, problem, url } from "./api.js";
import { bytes, fill, h, link, plural, select, tag, up } from "./dom.js";

const PIECE = 64 << 10; // bytes of one fetch
const PIECES = 3; // that are shown at once
const LINE_MAX = 4000; // letters of a line that are shown
const NEAR = 600; // px from an edge, when the next piece is fetched

export async function log(place, { parts, query }, page) {
  const name = parts[1];
  const path = url("workflows", name);
  const shape = await get(path);
  const all = [...shape.status.steps, ...shape.status.hooks].filter((one) => one.attempts.length);
  const step = all.find((one) => one.name === query.step) ?? all.at(-1);
  if (!step || (query.step ?? step.name) !== step.name) throw problem(404, "That step has not run.");
  const attempt = step.attempts.find((one) => one.number === Number(query.attempt)) ?? step.attempts.at(-1);
  const which = { step: step.name, attempt: query.attempt || attempt.number };
  let pieces = []; // {start, end, element}: whole lines, one piece after the other
  let [size, ended, follows, busy, closed] = [0, false, true, false, false];

  const [bar, results, foot, rest] = [h("div.tools"), h("div.results"), h("div.foot"), h("div.line")];
  const lines = h("div.lines", { tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Output", onscroll });
  place.replaceChildren(h("div.title", ...up([""], "Workflows"), ...up(["w", name], name), h("h1", step.name),
    tag(attempt.phase)), bar, results, lines, foot);

  // Whole lines of the bytes from `start`; `rest` is what has no line end yet.
  async function piece(start, count, isLineStart) {
    const answer = await get(`${path}/log`, { ...which, offset: start, limit: count });
    size = Number(answer.headers.get("Treadle-Log-Size"));
    ended = answer.headers.get("Treadle-Log-Ended") === "true";
    let data = new Uint8Array(await answer.arrayBuffer());
    const skip = isLineStart ? 0 : data.indexOf(10) + 1;
    data = data.subarray(skip);
    const whole = data.lastIndexOf(10) + 1;
    const isLast = start + skip + data.length >= size;
    const decode = (part) => new TextDecoder().decode(part);
    const kept = isLast && ended ? data : whole || isLast ? data.subarray(0, whole) : data;
    if (isLast) fill(rest, kept.length < data.length && colours(decode(data.subarray(kept.length))));
    const style = { color: "", bold: false };
    const text = decode(kept).replace(/\n$/, "").split("\n");
    return { start: start + skip, end: start + skip + kept.length,
      element: h("div", kept.length > 0 && text.map((line) => h("div.line", colours(line, style)))) };
  }
  async function jump(offset) {
    const begin = Math.max(0, offset >= size ? size - PIECE : offset);
    pieces = [await piece(begin, PIECE, begin === 0 || offset < size)];
    lines.replaceChildren(pieces[0].element, rest);
    draw();
    lines.scrollTop = offset >= size ? lines.scrollHeight : 0;
  }
  async function after() {
    const { end } = pieces.at(-1);
    const next = await piece(end, PIECE, true);
    if (next.end === end) return false;
    pieces.push(next);
    rest.before(next.element);
    if (pieces.length > PIECES) {
      const { element } = pieces.shift();
      if (!follows) lines.scrollTop -= element.offsetHeight;
      element.remove();
    }
    return true;
  }
  async function before() {
    const { start } = pieces[0];
    const from = Math.max(0, start - PIECE);
    const fresh = await piece(from, start - from, from === 0);
    pieces.unshift(fresh);
    lines.prepend(fresh.element);
    lines.scrollTop += fresh.element.offsetHeight;
    if (pieces.length > PIECES) pieces.pop().element.remove();
  }
  // One thing at a time. What fails is told, and done again with the next scroll or look.
  async function alone(work) {
    if (busy || closed) return;
    busy = true;
    await work().then(page.answered, page.failed);
    busy = false;
    draw();
  }
  const look = () => (ended && pieces.at(-1).end >= size ? null : alone(async () => {
    if (!follows) return piece(pieces.at(-1).end, 1, true); // only how long it is now
    while (await after());
    lines.scrollTop = lines.scrollHeight;
  }));
  function onscroll() {
    const below = lines.scrollHeight - lines.scrollTop - lines.clientHeight;
    follows = below < 8 && pieces.at(-1).end >= size - rest.textContent.length * 4;
    if (lines.scrollTop < NEAR && pieces[0].start > 0) alone(before);
    else if (below < NEAR && pieces.at(-1).end < size && !follows) alone(after);
    else draw();
  }
  const go = (offset) => (follows = offset >= size, alone(() => jump(offset)));
  // From a share of the file: to the line that begins behind it.
  const goTo = async (share) =>
    go(share >= 1 ? size : (await piece(Math.floor(size * share), PIECE, share === 0)).start);

  const to = (change) => (location.hash = link(["w", name, "log"], { ...which, ...change }));
  const named = Object.fromEntries(all.map((one) => [one.name, one.name]));
  const numbered = Object.fromEntries(step.attempts.map((one) =>
    [one.number, `attempt ${one.number}, run ${one.run}: ${one.phase}`]));
  function draw() {
    const [first, last] = [pieces[0].start, pieces.at(-1).end];
    fill(bar, select("Step", named, step.name, (other) => to({ step: other, attempt: "" })),
      select("Attempt", numbered, attempt.number, (other) => to({ attempt: other })),
      h("form", { onsubmit: (event) => (event.preventDefault(), search(event.target[0].value, 0)) },
        h("input", { type: "search", placeholder: "Search   /", "aria-label": "Search the output" })), h("span.space"),
      h("button", { onclick: () => go(0) }, "Start"),
      h("button", { "aria-pressed": String(follows), onclick: () => go(size) }, ended ? "End" : "Follow"));
    fill(foot, h("input", { type: "range", max: 1000, "aria-label": "Place in the file",
      "aria-valuetext": `${bytes(first)} of ${bytes(size)}`,
      onchange: ({ target }) => goTo(target.value / 1000).catch(page.failed) }),
    h("span.num", size ? `${bytes(first)} to ${bytes(last)} of ${bytes(size)}` : "no output"),
    h("span.hint", ended ? "the attempt has ended" : follows ? "follows" : "it still grows"));
    foot.firstChild.value = size ? (1000 * (follows ? last : first)) / size : 0;
  }
  async function search(text, offset) {
    const found = text && await get(`${path}/search`, { ...which, text, offset }).catch(page.failed);
    if (!found) return fill(results);
    const show = (match) => alone(async () => {
      follows = false;
      await jump(match.offset);
      pieces[0].element.firstChild?.classList.add("found");
    });
    fill(results, h("p.row", h("b", plural(found.matches.length, "match", "matches")),
      found.next !== null && h("button", { onclick: () => search(text, found.next) }, "Next ones"),
      h("button.quiet", { onclick: () => fill(results) }, "Close")),
    h("ol", found.matches.map((match) => h("li", h("button.to", { onclick: () => show(match) },
      h("span.hint", bytes(match.offset)), match.line.slice(0, 300))))));
  }

  await piece(0, 1, true); // how long it is
  await jump(size);
  return { title: `${step.name}: output`, follow: { workflow: shape.metadata.uid, since: shape.id }, on() {},
    refresh: look, tick: () => document.hidden || look(),
    up: link(["w", name], { step: step.name }), close: () => (closed = true) };
}

// ---------------------------------------- colours

// Colours; other codes with parameters; titles of a window; the rest; and single control characters.
const [COLOUR, CODES, TITLE] = [/\x1b\[([0-9;]*)m/, /\x1b\[[0-?]*[ -/]*[@-~]/, /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?/];
const [REST, CONTROL] = [/\x1b.?/, /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/];
const CODE = new RegExp([COLOUR, CODES, TITLE, REST, CONTROL].map(({ source }) => source).join("|"), "g");

// A line as spans, by the codes of a terminal for 16 colours and bold; all others are left out. After
// a carriage return it begins anew, as a terminal would show it.
function colours(line, style = { color: "", bold: false }) {
  const shown = line.replace(/\r$/, "").split("\r").pop();
  const cut = shown.slice(0, LINE_MAX);
  const spans = [];
  let at = 0;
  for (const match of [...cut.matchAll(CODE), { index: cut.length, 0: "" }]) {
    const text = cut.slice(at, match.index);
    const classes = [style.color, style.bold && "bold"].filter(Boolean);
    if (text) spans.push(classes.length ? h(["span", ...classes].join("."), text) : text);
    at = match.index + match[0].length;
    for (const code of match[1]?.split(";").map(Number) ?? []) {
      if (code === 0 || code === 39) style.color = "";
      if (code === 0 || code === 22) style.bold = false;
      if (code === 1) style.bold = true;
      if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style.color = `a${code}`;
    }
  }
  if (shown.length > LINE_MAX) spans.push(h("span.hint", ` … ${plural(shown.length - LINE_MAX, "more letter")}`));
  return spans.length ? spans : [" "];
}
