// Elements and words. What comes from outside becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "oninput", "onchange", "onkeydown", "onsubmit", "onscroll"];
export const isNothing = (value) => value === null || value === undefined || value === false;
const flat = (children) => children.flat(4).filter((one) => !isNothing(one));

// h("a.note", {href: "#/"}, "text", other): an element, `svg:rect` one of SVG, with classes behind dots.
// A property that is a function is a handler, `style` an object; what is null or false is left out.
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const drawn = name.startsWith("svg:");
  const made = drawn ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  if (classes.length) made.setAttribute("class", classes.join(" "));
  const hasProps = rest[0]?.constructor === Object;
  for (const [key, value] of Object.entries(hasProps ? rest[0] : {})) {
    if (isNothing(value)) continue;
    if (typeof value === "function") made[key] = value;
    else if (key === "style") Object.entries(value).forEach((one) => made.style.setProperty(...one));
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...flat(hasProps ? rest.slice(1) : rest));
  return made;
}

// Makes `old` look like `fresh`, and keeps its elements: focus, scroll and selection stay.
// Children with a `data-key` are known by it, the others by their place.
export function patch(old, fresh) {
  if (old === fresh) return;
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // The policy of the page forbids the attribute, but not the property.
  if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  for (const name of HANDLERS) if (old[name] !== fresh[name]) old[name] = fresh[name];
  fill(old, ...fresh.childNodes);
}

// Makes these the children of `place`, as `patch` does.
export function fill(place, ...children) {
  const byKey = new Map();
  for (const child of place.children) if (child.dataset.key) byKey.set(child.dataset.key, child);
  let at = place.firstChild;
  for (const child of flat(children).map((one) => (one instanceof Node ? one : new Text(one)))) {
    const key = child.dataset?.key;
    const known = key ? byKey.get(key) : at;
    if (known && known.nodeName === child.nodeName && known.dataset?.key === key) {
      if (known === at) at = at.nextSibling;
      else place.insertBefore(known, at);
      patch(known, child);
    } else place.insertBefore(child, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// ---------------------------------------- phases

export const GLYPHS = {
  Running: "●", Succeeded: "✓", Failed: "✗", Cancelled: "■", Suspended: "‖", Skipped: "–", Invalid: "✗",
  Pending: "◌", Ready: "◌", Waiting: "○", Scheduled: "◌", Interrupted: "!", Asks: "?",
  keep: "=", continue: "●", restart: "↻", run: "▸", remove: "−",
};
export const ENDED = new Set(["Succeeded", "Failed", "Skipped", "Cancelled"]);

export const glyph = (phase) => h(`span.glyph.p-${phase}`, { "aria-hidden": "true" }, GLYPHS[phase] ?? "·");
export const tag = (phase, word = phase) => h(`span.tag.p-${phase}`, glyph(phase), h("span", word));

// ---------------------------------------- times: in the browser's zone, by the server's clock

// The browser's clock may be wrong: `real` goes on from what the server said last. Without a
// controller, or a server, nothing advances, so `live` stands at `stopped`. A view of the past shows
// the moment `past`, and its times are reckoned from there. All in ms since 1970.
export const clock = {
  ahead: null,
  stopped: null,
  past: null,
  set: (time) => (clock.ahead = Date.parse(time) - performance.now()),
  get now() { return this.past ?? this.live; },
  get live() { return this.stopped ?? this.real; },
  get real() { return (this.ahead ?? Date.now() - performance.now()) + performance.now(); },
};

// Seconds in words: `1.5s`, `4m07s`, `3h20m`, `2d05h`.
export function span(seconds) {
  if (isNothing(seconds) || Number.isNaN(seconds)) return "-";
  const s = Math.max(0, seconds);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  if (s < 59.95) return `${s.toFixed(1)}s`;
  const units = s < 3600 ? [60, 1, "m", "s"] : s < 86400 ? [3600, 60, "h", "m"] : [86400, 3600, "d", "h"];
  const [large, small, name, rest] = units;
  return `${Math.floor(s / large)}${name}${two((s % large) / small)}${rest}`;
}

export const seconds = (start, end) => (start && end ? (Date.parse(end) - Date.parse(start)) / 1000 : null);

const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: false };
const format = (options) => new Intl.DateTimeFormat(undefined, options);
const [DAY, TIME] = [format({ dateStyle: "short" }), format({ ...CLOCK, second: "2-digit" })];
const SHORT = format({ ...CLOCK, month: "short", day: "numeric" });
const FULL = format({ dateStyle: "full", timeStyle: "long" });

// `13:08:15` today, `Nov 27, 13:08` else; the title has all of it.
export function when(time) {
  if (!time) return "-";
  const date = new Date(time);
  const today = DAY.format(date) === DAY.format(clock.real);
  return h("time", { datetime: date.toISOString(), title: FULL.format(date) }, (today ? TIME : SHORT).format(date));
}

// How long from `start` to `end`, or to now: then it goes on by itself.
export function took(start, end) {
  if (!start || end) return h("span.num", span(seconds(start, end)));
  return h("span.num", { "data-since": start }, since(start));
}

// `in 3m` or `4m ago`.
export const relative = (time) => (time
  ? h("time.num", { "data-around": time, title: FULL.format(new Date(time)) }, around(time)) : "-");

const since = (start) => span((clock.now - Date.parse(start)) / 1000);
function around(time) {
  const away = (Date.parse(time) - (clock.past ?? clock.real)) / 1000;
  const [, unit, size] = [[86400 * 2, "d", 86400], [3600, "h", 3600], [60, "m", 60], [0, "s", 1]]
    .find(([least]) => Math.abs(away) >= least);
  const rough = `${Math.floor(Math.abs(away) / size)}${unit}`;
  return away > 0 ? `in ${rough}` : `${rough} ago`;
}

// Once a second: all spans of time that go on.
export function tick() {
  for (const one of document.querySelectorAll("[data-since]")) one.textContent = since(one.dataset.since);
  for (const one of document.querySelectorAll("[data-around]")) one.textContent = around(one.dataset.around);
}

// ---------------------------------------- other words

export function bytes(count) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return power ? `${(count / 1000 ** power).toFixed(1)} ${"_kMG"[power]}B` : `${count} B`;
}

export const plural = (count, word, many = `${word}s`) => `${count.toLocaleString("en")} ${count === 1 ? word : many}`;
export const valueOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// `a 1` pairs as small labels.
export const pairs = (object) =>
  Object.entries(object ?? {}).map(([name, value]) => h("span.pair", h("b", name), ` ${valueOf(value)}`));

export const fact = (word, ...value) => h("span.fact", h("b", word), " ", value);

// A line across: `kind` is its class, `sign` says the same without colour.
export const banner = (kind, sign, key, ...content) => h(`div.banner.${kind}`, { "data-key": key },
  h("span", { "aria-hidden": "true" }, sign), content);

export const trouble = (text) => h("p.why", { role: "alert" }, glyph("Failed"), ` ${text}`);

// The faults of a file, which are told in one sentence, line by line.
export const faults = (told) => h("ul.faults", told.split(/; (?=\S+:\d+:\d+: )/).map((one) => h("li", one)));

// A table of rows, which are lists of cells; its columns have these heads.
export const table = (heads, rows) => h("div.scroll", h("table.plain",
  h("thead", h("tr", heads.map((head) => h("th", { scope: "col" }, head)))),
  h("tbody", rows.map((row) => (row instanceof Node ? row : h("tr", row.map((cell) => h("td", cell))))))));

// A select: `options` are its values and words.
export const select = (label, options, chosen, onpick) => h("select", { "aria-label": label,
  onchange: (event) => onpick(event.target.value) }, Object.entries(options).map(([value, word]) =>
  h("option", { value, selected: value === String(chosen) }, word)));

// The arrows go from cell to cell of these rows. Says whether there was one to go to.
export function walk({ key }, rows, css) {
  const [x, y] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key] ?? [];
  if (x === undefined) return false;
  const has = (one) => one.contains(document.activeElement);
  const within = (index, all) => Math.max(0, Math.min(all.length - 1, index));
  const cells = (row) => [...(rows[row]?.querySelectorAll(css) ?? [])];
  const at = [...rows].findIndex(has);
  const to = cells(within(at + y, rows));
  const cell = to[within(cells(at).findIndex(has) + x, to)];
  (cell?.matches("a") ? cell : cell?.querySelector("a"))?.focus();
  return Boolean(cell);
}

// The way up from a view: a link to another one, and a slash.
export const up = (path, word) => [h("a.up", { href: link(path) }, word), h("span.up", { "aria-hidden": "true" }, "/")];

// What is asked of a page or of the server, as the end of its address.
export const asked = (query) => String(new URLSearchParams(Object.entries(query ?? {})
  .filter(([, value]) => value !== "" && !isNothing(value)))).replace(/^(?=.)/, "?");

// The link of a view: its path, and what is asked of it.
export const link = (path, query) => `#/${path.map(encodeURIComponent).join("/")}${asked(query)}`;
