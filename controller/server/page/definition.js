// A definition: a grid of its steps and instances, its due times, and what became of past ones.

import { get, gently } from "./api.js";
import { button } from "./act.js";
import {
  ENDED, GLYPHS, clock, fill, h, link, plural, relative, seconds, select, span, table, tag, up, when,
} from "./dom.js";

const PAGE = 100;
const AGAIN_MAX = 500; // instances that are asked for again at once
const BACK = { 1: "of the last day", 7: "of the last 7 days", 31: "of the last 31 days" };

export async function definition(place, path, page, shape) {
  const { name, uid } = shape.metadata;
  const since = shape.id;
  let [grid, due, audit, days, busy] = [{ items: [] }, [], null, 1, false];

  async function refetch() {
    const limit = Math.min(AGAIN_MAX, Math.max(PAGE, grid.items.length));
    [shape, grid, { items: due }] = await Promise.all(
      [get(path), get(`${path}/instances`, { limit }), get(`${path}/schedule`, { next: 8 })]);
    draw();
  }
  const refresh = () => refetch().catch(page.failed);
  async function more() {
    if (busy || !grid.continue) return;
    busy = true;
    const next = await get(`${path}/instances`, { limit: PAGE, continue: grid.continue }).catch(page.failed);
    const steps = new Set([...grid.steps, ...(next?.steps ?? [])]);
    if (next) grid = { ...next, items: [...grid.items, ...next.items], steps: [...steps] };
    busy = false;
    draw();
  }
  async function lookBack() {
    const day = (ago) => `${new Date(clock.real - ago * 86400000).toISOString().slice(0, 19)}Z`;
    const told = await get(`${path}/schedule`, { audit: `${day(days)}..${day(0)}` }).catch(page.failed);
    audit = told?.items ?? audit;
    draw();
  }

  function draw() {
    const { metadata: { generation }, status, spec } = shape;
    const act = (word, action, look) => button(word, action, { name, uid, spec }, page, {}, look);
    const fact = (word, value) => h("span.fact", h("b", word), ` ${value.toLocaleString("en")}`);
    const runs = status.instances.some(({ phase }) => !ENDED.has(phase));
    const count = grid.total ? `${plural(grid.total, "instance")}, the newest on the left` : "none yet";
    fill(place, h("div.head",
      h("div.title", up([""], "Workflows"), h("h1", name), tag(status.phase), h("span.space"),
        status.phase === "Suspended" ? act("Resume", "resume") : act("Suspend", "suspend"),
        runs && act("Cancel", "cancel"), act("Start", "start", "button.main")),
      h("p.verdict", status.message),
      h("div.facts", Object.entries(status.firings ?? {}).map(([outcome, times]) => fact(outcome.toLowerCase(), times)),
        fact("generation", generation))),
    h("h2", "Instances ", h("span.hint", count)), grid.items.length > 0 && drawGrid(),
    h("h2", "Triggers"),
    table(["Trigger", "Kind", "Next due", "Files waiting", "Last firing"], status.triggers.map(triggerRow)),
    due.length > 0 && [h("h2", "Due times ahead"), table(["Due", "In its zone", "In", "Trigger", "Note"],
      due.map((one) => [when(one.due), one.local, relative(one.starts), one.trigger, one.message]))],
    h("h2", "What became of due times"),
    h("p.row", select("Since", BACK, days, (value) => (days = value)), h("button", { onclick: lookBack }, "Look back")),
    audit?.length === 0 && h("p.hint", "No time was due."),
    audit?.length > 0 && table(["Due", "Trigger", "Instance", "Outcome", "Note"], audit.toReversed().map(auditRow)));
  }
  const triggerRow = ({ name: trigger, kind, nextDue, filesWaiting, lastFiring: last }) => [trigger, kind,
    nextDue ? [when(nextDue), " ", h("span.hint", relative(nextDue))] : "-", filesWaiting ?? "-",
    last ? [when(last.time), ` ${last.outcome} ${last.reason ?? ""}`] : "-"];
  const auditRow = ({ due: time, trigger, instance, key, phase, outcome, reason, message }) => [when(time), trigger,
    instance ? h("a", { href: link(["w", instance]) }, key) : "-", phase ? tag(phase) : outcome ?? "not decided",
    [reason, message].filter(Boolean).join(": ")];

  // A column for each instance, a row for each step.
  function drawGrid() {
    const nameOf = (one) => `${one.key || one.name}, ${new Date(one.due ?? one.startTime ?? 0).toLocaleString()}`;
    const tookOf = (one) => seconds(one.startTime, one.completionTime) ?? 0;
    const longest = Math.max(0.001, ...grid.items.map(tookOf));
    const bar = (one) => h("td", h(`span.bar.p-${one.phase}`, { title: `${nameOf(one)}: ${span(tookOf(one))}`,
      style: { "--height": (tookOf(one) / longest).toFixed(3) } }, h("i")));
    const cell = (step) => (one, index) => {
      const phase = step ? one.steps[step] : one.phase;
      const what = `${step && `${step} of `}${nameOf(one)}: ${phase}`;
      return h(`td.p-${phase}`, phase && h("a", { href: link(["w", one.name], { step }), title: what,
        "aria-label": what, tabindex: index === 0 && !step ? 0 : -1 }, GLYPHS[phase]));
    };
    const row = (head, make) => h("tr", h("th", { scope: "row", title: head }, head), grid.items.map(make));
    const onscroll = ({ target }) => target.scrollLeft + target.clientWidth > target.scrollWidth - 400 && more();
    return h("div.scroll.grid", { onkeydown: alongCells, onscroll }, h("table", h("thead", row("time", bar)),
      h("tbody", row("all", cell("")), grid.steps.map((step) => row(step, cell(step))))),
    grid.continue && h("button", { onclick: more }, "Older"));
  }
  function alongCells(event) {
    const [x, y] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [];
    const at = event.target.closest("td");
    if (x === undefined || !at) return;
    const rows = [...event.currentTarget.querySelectorAll("tr")];
    rows[rows.indexOf(at.parentElement) + y]?.children[at.cellIndex + x]?.querySelector("a")?.focus();
    event.preventDefault();
  }
  await refetch();
  return { title: name, follow: { workflow: uid, rows: true, since }, on: gently(refresh, 1), refresh,
    keys: ({ key }) => key === "Escape" && Boolean((location.hash = "#/")) };
}
