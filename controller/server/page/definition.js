// A definition: a grid of its steps and instances, its due times, and what became of past ones.

import { get, gently, parts } from "./api.js";
import { button } from "./act.js";
import {
  ENDED, GLYPHS, clock, fact, fill, h, link, plural, relative, seconds, select, span, table, tag, up, walk, when,
} from "./dom.js";

const PAGE = 100;
const BACK = { 0: "look back …", 1: "of the last day", 7: "of the last 7 days", 31: "of the last 31 days" };

export async function definition(place, path, page, shape) {
  const { name, uid } = shape.metadata;
  const since = shape.id;
  const grid = parts(`${path}/instances`, PAGE);
  let [due, audit, days] = [[], null, 0];

  async function refetch() {
    [shape, { items: due }] = await Promise.all([get(path), get(`${path}/schedule`, { next: 8 }), grid.again()]);
    draw();
  }
  const refresh = () => refetch().then(page.answered, page.failed);
  const more = () => grid.more().then(draw, page.failed);
  async function lookBack(back) {
    days = back;
    const day = (ago) => `${new Date(clock.real - ago * 86400000).toISOString().slice(0, 19)}Z`;
    audit = (await get(`${path}/schedule`, { audit: `${day(days)}..${day(0)}` }).catch(page.failed))?.items;
    draw();
  }

  function draw() {
    const { metadata: { generation }, status, spec } = shape;
    const act = (word, action, look) => button(word, action, { name, uid, spec }, page, {}, look);
    const runs = status.instances.some(({ phase }) => !ENDED.has(phase));
    const { items, total } = grid.told;
    const last = items.find(({ phase }) => ENDED.has(phase));
    const count = total ? `${plural(total, "instance")}, the newest on the left` : "none yet";
    fill(place, h("div.head",
      h("div.title", up([""], "Workflows"), h("h1", name), tag(status.phase), h("span.space"),
        status.phase === "Suspended" ? act("Resume", "resume") : act("Suspend", "suspend"),
        runs && act("Cancel", "cancel"), act("Start", "start", "button.main")),
      h("p.verdict", status.message, last && [" · last one: ", h("a", { href: link(["w", last.name]) }, last.key), " ",
        tag(last.phase)]),
      h("div.facts", Object.entries(status.firings ?? {}).map(([outcome, times]) =>
        fact(outcome.toLowerCase(), times.toLocaleString("en"))), fact("generation", generation))),
    h("h2", "Instances ", h("span.hint", count)), items.length > 0 && drawGrid(items),
    h("h2", "Triggers"),
    table(["Trigger", "Kind", "Next due", "Files waiting", "Last firing"], status.triggers.map(triggerRow)),
    due.length > 0 && [h("h2", "Due times ahead"), table(["Due", "In its zone", "In", "Trigger", "Note"],
      due.map((one) => [when(one.due), one.local, relative(one.starts), one.trigger, one.message]))],
    h("h2", "What became of due times ", select("Since", BACK, days, lookBack)),
    audit?.length === 0 && h("p.hint", "No time was due."),
    audit?.length > 0 && table(["Due", "Trigger", "Instance", "Outcome", "Note"], audit.toReversed().map(auditRow)));
  }
  const triggerRow = ({ name: trigger, kind, nextDue, filesWaiting, lastFiring: last }) => [trigger, kind,
    nextDue ? [when(nextDue), " ", h("span.hint", relative(nextDue))] : "-", filesWaiting ?? "-",
    last ? [when(last.time), ` ${[last.outcome, last.reason, last.message].filter(Boolean).join(": ")}`] : "-"];
  const auditRow = ({ due: time, trigger, instance, key, phase, outcome, reason, message }) => [when(time), trigger,
    instance ? h("a", { href: link(["w", instance]) }, key) : "-", phase ? tag(phase) : outcome ?? "not decided",
    [reason, message].filter(Boolean).join(": ")];

  // A column for each instance, a row for each step.
  function drawGrid(items) {
    const nameOf = (one) => `${one.key || one.name}, ${new Date(one.due ?? one.startTime ?? 0).toLocaleString()}`;
    const tookOf = (one) => seconds(one.startTime, one.completionTime) ?? 0;
    const longest = Math.max(0.001, ...items.map(tookOf));
    const bar = (one) => h("td", h(`span.bar.p-${one.phase}`, { title: `${nameOf(one)}: ${span(tookOf(one))}`,
      style: { "--height": (tookOf(one) / longest).toFixed(3) } }, h("i")));
    const cell = (step) => (one, index) => {
      const phase = step ? one.steps[step] : one.phase;
      const what = `${step && `${step} of `}${nameOf(one)}: ${phase}`;
      return h(`td.p-${phase}`, phase && h("a", { href: link(["w", one.name], { step }), title: what,
        "aria-label": what, tabindex: index === 0 && !step ? 0 : -1 }, GLYPHS[phase]));
    };
    const row = (head, make) => h("tr", h("th", { scope: "row", title: head }, head), items.map(make));
    const onscroll = ({ target }) => target.scrollLeft + target.clientWidth > target.scrollWidth - 400 && more();
    const steps = new Set(items.toReversed().flatMap((one) => Object.keys(one.steps)));
    return h("div.scroll.grid", { onscroll }, h("table", h("thead", row("time", bar)),
      h("tbody", row("all", cell("")), [...steps].map((step) => row(step, cell(step))))),
    grid.told.continue && h("button", { onclick: more }, "Older"));
  }
  await refetch();
  const keys = (event) => event.target.closest?.(".grid") && walk(event, place.querySelectorAll(".grid tr"), "td");
  return { title: name, follow: { workflow: uid, rows: true, since }, on: gently(refresh, 1), refresh, keys, up: "#/" };
}
