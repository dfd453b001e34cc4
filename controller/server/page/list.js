// The list: a row for each workflow, with its last runs as bars. Live by the stream.

import { gently, parts } from "./api.js";
import {
  ENDED, clock, fill, glyph, h, link, patch, plural, relative, seconds, select, span, took, walk,
} from "./dom.js";

const PAGE = 200;
const HEADS = ["Name", "Phase", "Steps", "Last runs", "Time", "Last run", "Next due", "Message"];
const SORTS = { "": "by name", "last-run": "by last run", phase: "by phase", duration: "by duration" };
const INSTANCES = { "": "current instances", all: "all instances", none: "no instances" };
const STALE = "It ran when the controller stopped. Nobody knows what became of it.";

export async function list(place, { query }, page) {
  const chosen = { q: "", phase: "", instances: "", sort: "", selector: "", at: "", ...query };
  const found = parts("overview", PAGE, () => chosen);

  const refresh = () => found.again().then(() => (page.answered(), draw()), page.failed);
  const more = () => found.more().then((isMore) => isMore && (draw(), look()), page.failed);
  const soon = gently(refresh, 1);

  function choose(change) {
    Object.assign(chosen, change);
    page.remember([""], chosen);
    found.told = { ...found.told, items: [] };
    refresh();
  }

  const [tools, rows, end] = [h("div.tools"), h("tbody", { role: "rowgroup" }), h("p.hint")];
  await found.again();
  place.replaceChildren(h("h1.unseen", "Workflows"), tools,
    h("table.list", { role: "table", "aria-label": "Workflows" }, h("thead", { role: "rowgroup" },
      h("tr", { role: "row" }, HEADS.map((head) => h("th", { role: "columnheader" }, head)))), rows), end);

  function draw() {
    const { told } = found;
    page.asOf(chosen.at ? Date.parse(told.time) : null);
    drawTools();
    drawRows();
    const left = told.total - told.items.length;
    fill(end, !told.total ? nothing() : left > 0 && told.continue
      ? h("button", { onclick: more }, `${plural(left, "more row")} …`) : plural(told.total, "row"));
  }
  // A row that is as it was keeps its element, so thousands of them cost little.
  const shown = new Map();
  function drawRows() {
    fill(rows, found.told.items.map((row) => {
      const known = shown.get(row.name);
      if (known?.row === row && known.past === clock.past) return known.element;
      const element = known?.element ?? drawRow(row);
      if (known) patch(element, drawRow(row));
      shown.set(row.name, { row, element, past: clock.past });
      return element;
    }));
  }
  const nothing = () => (chosen.q || chosen.phase || chosen.selector
    ? ["Nothing matches. ", h("a", { href: "#/" }, "Show all")]
    : ["No workflows yet. Save a spec in the specs folder, or type ", h("code", "treadle init hello")]);

  function drawTools() {
    const phases = new Set(chosen.phase.split(",").filter(Boolean));
    const turn = (phase) => choose({ phase: [...phases.symmetricDifference(new Set([phase]))].join(",") });
    const counts = { ...Object.fromEntries([...phases].map((phase) => [phase, 0])), ...found.told.counts };
    fill(tools, h("input", { type: "search", placeholder: "Filter   /", "aria-label": "Filter by name or label",
      value: chosen.q, oninput: ({ target }) => choose({ q: target.value }) }),
    h("div.chips", { role: "group", "aria-label": "Phases" }, Object.entries(counts).map(([phase, count]) =>
      h("button.chip", { "aria-pressed": String(phases.has(phase)), onclick: () => turn(phase) },
        glyph(phase), `${phase} `, h("b", count.toLocaleString("en"))))),
    chosen.selector && h("button.chip", { "aria-pressed": "true", title: "Take this filter away",
      onclick: () => choose({ selector: "" }) }, `${chosen.selector} ×`),
    h("span.space"), h("input.at", { placeholder: "as of now", "aria-label": "As of a time or the number of a record",
      title: "As of: 13:05, yesterday, 2026-11-23T08:00, or the number of a record", value: chosen.at,
      onchange: ({ target }) => choose({ at: target.value }) }),
    select("Instances", INSTANCES, chosen.instances, (instances) => choose({ instances })),
    select("Sort", SORTS, chosen.sort, (sort) => choose({ sort })));
  }

  function drawRow(row) {
    const { steps, kind } = row;
    const phase = kind === "invalid" ? "Invalid" : row.phase;
    const cell = (name, ...content) => h(`td.${name}`, { role: "cell" }, content);
    const last = row.completionTime ?? row.startTime;
    return h(`tr.p-${phase}`, { role: "row", "data-key": row.name },
      cell("name", glyph(row.stale ? "Interrupted" : phase), h("a.to", { href: link(["w", row.name]) }, row.name),
        Object.entries(row.labels ?? {}).map(([name, value]) => `${name}=${value}`).map((selector) => h("button.pair",
          { tabindex: -1, title: "Show only these", onclick: () => choose({ selector }) }, selector))),
      cell("phase", phase, row.stale && h("span", { title: STALE }, "?")),
      cell("steps.num", kind !== "definition" && steps?.total ? `${steps.Succeeded ?? 0}/${steps.total}` : ""),
      cell("bars", bars(row)),
      cell("time", kind === "definition" ? "" : took(row.startTime, row.completionTime)),
      cell("last", last && !ENDED.has(phase) && kind !== "definition" ? "now" : relative(last)),
      cell("due", relative(row.nextDue)), cell("message", h("span", { title: row.message }, row.message)));
  }

  function on(kind, data) {
    if (kind === "gone") soon();
    if (kind !== "row" || chosen.at) return; // the past stays as it was
    const { items } = found.told;
    const at = items.findIndex(({ name }) => name === data.name);
    if (items[at]?.phase !== data.phase) soon(); // the counts are others now, perhaps the order, too
    if (at < 0) return;
    items[at] = data;
    drawRows();
  }

  draw();
  // The next page comes when the end of this one is near.
  const watch = new IntersectionObserver(([seen]) => seen.isIntersecting && more(), { rootMargin: "1200px" });
  const look = () => (watch.disconnect(), watch.observe(end)); // it tells only changes of what is seen
  look();
  return { title: "Workflows", follow: { rows: true, since: found.told.id }, on, refresh,
    keys: (event) => walk(event, rows.children, "a.to, a.bar"), close: () => watch.disconnect() };
}

// A bar for each of the last runs, or instances of a definition: its height is how long it took.
function bars(row) {
  const all = row.bars.map(({ startTime, completionTime }) => seconds(startTime, completionTime));
  const longest = Math.max(0.001, ...all);
  return h("div.runs", row.bars.map((one, index) => {
    const what = [`${one.name ?? `run ${one.number}`}: ${one.phase}`, all[index] !== null && span(all[index])]
      .filter(Boolean).join(", ");
    return h(`a.bar.p-${one.phase}`, { title: what, "aria-label": what, tabindex: -1,
      href: link(["w", one.name ?? row.name], { run: one.name ? "" : one.number }),
      style: { "--height": all[index] === null ? "1" : (0.15 + (0.85 * all[index]) / longest).toFixed(3) } }, h("i"));
  }));
}
