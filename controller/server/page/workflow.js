// One workflow: its verdict, and one run of it as a graph, a timeline and a table, live or played.

import { get, gently, url } from "./api.js";
import { button } from "./act.js";
import { definition } from "./definition.js";
import { ENDED, fill, glyph, h, link, pairs, span, table, tag, took, trouble, up, when } from "./dom.js";
import { Graph } from "./graph.js";
import { exitOf, memoryOf, panel, triesOf } from "./step.js";
import { Changes, Scrubber, timeline } from "./timeline.js";

const TABS = ["Graph", "Timeline", "Table", "Runs", "Details"];

export async function workflow(place, { parts, query }, page) {
  const path = url("workflows", parts[1]);
  const asked = { run: query.run };
  let shape = await get(path, asked);
  if (shape.status.triggers) return definition(place, path, page, shape);
  if (!shape.metadata.uid) return invalid(place, page, shape);

  const { name, uid } = shape.metadata;
  const since = shape.id;
  const chosen = { tab: TABS[0], step: "", run: "", ...query };
  let insight = { why: [], criticalPath: [] };
  let changes = null;
  let news = []; // changes of phases while those before them are asked for
  const head = h("div.head");
  const tabs = h("nav.tabs", { "aria-label": "Views of the run" });
  const body = h("div.body");
  const side = h("aside.side", { hidden: true, "aria-label": "Step" });
  const graph = new Graph((step) => pick(step));
  const scrubber = new Scrubber(() => paint());
  const repaint = gently(() => changes && paint(), 0.02);
  const isPresent = () => !chosen.run;

  async function refetch() {
    const before = [numberOf(shape), ...shape.status.steps.map((step) => step.name)].join();
    [shape, insight] = await Promise.all([get(path, asked), get(`${path}/insight`)]);
    if (!changes || before !== [numberOf(shape), ...shape.status.steps.map((step) => step.name)].join()) {
      const { layout } = await get(`${path}/graph`);
      graph.show(layout, isPresent() ? insight.criticalPath : []);
      if (chosen.step) graph.mark(chosen.step);
      // The past of the run takes longer to find: until then the phases are as they are now.
      const began = Object.fromEntries(shape.status.steps.map((step) => [step.name, step.phase]));
      changes = new Changes({ startTime: shape.status.startTime, moves: [], began }, shape);
      if (numberOf(shape)) allChanges(numberOf(shape)).catch(page.failed);
    }
    changes.ends(shape);
    scrubber.draw(changes);
    draw();
  }
  async function allChanges(run) {
    news = [];
    const all = new Changes(await get(`${path}/changes`, { run }), shape);
    if (run !== numberOf(shape)) return;
    news.forEach((event) => all.add(event));
    changes = all;
    scrubber.draw(changes);
    paint();
  }
  const refresh = () => refetch().catch(page.failed);
  const soon = gently(refresh);

  function on(kind, data) {
    if (kind === "gone" && data.uid === uid) return page.again();
    if (kind !== "record" || !isPresent()) return;
    for (const event of data) {
      if (event.type === "RunStarted") changes = null; // another run: all of it is asked for
      if (event.type !== "PhaseChanged") continue;
      news.push(event);
      changes?.add(event);
    }
    if (scrubber.moment === null) repaint();
    soon();
  }

  // ---------------------------------------- drawing

  function choose(change) {
    Object.assign(chosen, change);
    page.remember(parts, { ...chosen, tab: chosen.tab === TABS[0] ? "" : chosen.tab });
    graph.mark(chosen.step);
    draw();
  }
  const pick = (step) => choose({ step: chosen.step === step ? "" : step });

  function draw() {
    const { tab } = chosen;
    drawHead();
    fill(tabs, TABS.map((each, index) => h("button", { "aria-current": each === tab && "true",
      title: `key ${index + 1}`, onclick: () => choose({ tab: each }) }, each)));
    scrubber.element.hidden = tab !== "Graph" && tab !== "Timeline";
    const isGraph = tab === "Graph";
    if (isGraph !== body.contains(graph.element)) body.replaceChildren(...(isGraph ? [graph.element] : []));
    if (tab === "Table") fill(body, steps());
    if (tab === "Runs") fill(body, runs());
    if (tab === "Details") fill(body, details());
    const step = [...shape.status.steps, ...shape.status.hooks].find((one) => one.name === chosen.step);
    side.hidden = !step;
    if (step) panel(side, step, shape, { page, pick, run: numberOf(shape) });
    paint();
  }

  // What changes from moment to moment: the phases in the picture.
  function paint() {
    const { moment } = scrubber;
    if (chosen.tab === "Timeline") {
      fill(body, timeline(changes, moment, inOrder(shape.status.steps).map((step) => step.name),
        { critical: isPresent() ? insight.criticalPath : [], chosen: chosen.step, pick }));
    }
    if (chosen.tab !== "Graph") return;
    const known = changes.at(moment);
    for (const { id, kind, folded } of graph.nodes.values()) {
      if (kind === "parent" && folded) known.set(id, { ...known.get(id), note: standing(known, id) });
    }
    for (const { name: step, approval } of moment === null ? shape.status.steps : []) {
      if (approval?.open) known.set(step, { phase: "Asks", told: approval.message });
    }
    graph.paint(known);
  }

  function drawHead() {
    const { metadata, status, spec } = shape;
    const { phase, runs: all, startTime, completionTime } = status;
    const number = numberOf(shape);
    const target = { name, uid, run: number, spec };
    const act = (word, action, what, look) => button(word, action, target, page, what, look);
    const fact = (word, value) => h("span.fact", h("b", word), " ", value);
    const { verdict, standing: how, usualSeconds, expectedEnd } = insight;
    const of = metadata.definition?.name;
    const asks = status.steps.filter(({ approval }) => approval?.open && isPresent());
    fill(head,
      h("div.title", up([""], "Workflows"), of && up(["w", of], of),
        h("h1", of ? name.slice(of.length) : name), tag(phase), h("span.space"),
        isPresent() && (ENDED.has(phase) ? phase !== "Succeeded" && act("Retry", "retry", {}, "button.main")
          : [phase === "Suspended" ? act("Resume", "resume") : act("Suspend", "suspend"), act("Cancel", "cancel")])),
      h("p.verdict", !isPresent() ? status.message : how.startsWith(verdict) ? how : [verdict, how && ` · ${how}`]),
      h("div.facts", number > 0 && fact("run", number), startTime && fact("started", when(startTime)),
        startTime && fact(completionTime ? "took" : "has taken", took(startTime, completionTime)),
        usualSeconds && fact("usually", span(usualSeconds)),
        isPresent() && expectedEnd && fact("expected end", when(expectedEnd)),
        number > 0 && fact("because of", all.at(-1).startedBy), fact("generation", metadata.generation),
        pairs(metadata.labels)),
      Object.keys(status.params).length > 0 && h("div.facts", fact("params", ""), pairs(status.params)),
      !isPresent() && h("p.banner.warn", h("span", "!"), h("span", `This is run ${number}. `,
        h("a", { href: link(["w", name]) }, "Show the present one"))),
      asks.map(({ name: step, approval: { message, number: question, dueTime } }) => h("div.banner.asks",
        { "data-key": `${step} ${question}` }, h("span", { "aria-hidden": "true" }, "?"),
        h("span", h("b", step), ` asks: ${message}`, dueTime && h("span.hint", " until ", when(dueTime))),
        h("span.space"),
        act("Approve", "approve", { steps: [step], question, approved: true }, "button.main"),
        act("Reject", "approve", { steps: [step], question, approved: false }))),
      isPresent() && phase === "Failed" && h("pre.why", insight.why.join("\n")));
  }

  const stepButton = (step) => h(step.parent ? "button.to.child" : "button.to", { onclick: () => pick(step.name) },
    glyph(step.phase), step.name);
  const steps = () => table(["Step", "Phase", "Tries", "Time", "Exit", "CPU", "Memory", "After", "Note"],
    inOrder(shape.status.steps).map((step) => {
      const tries = triesOf(step, numberOf(shape));
      const last = tries.at(-1) ?? {};
      return h(step.name === chosen.step ? "tr.chosen" : "tr", { "data-key": step.name }, [stepButton(step), step.phase,
        tries.length || "-", took(last.startTime, last.finishTime), exitOf(last), span(last.usage?.cpuSeconds),
        memoryOf(last.usage), step.dependsOn.join(", ") || "-", step.message].map((cell) => h("td", cell)));
    }));
  const runs = () => table(["Run", "Phase", "Started", "Took", "Because of"],
    shape.status.runs.toReversed().map(({ number, phase, startTime, completionTime, startedBy }) => [
      h("a", { href: link(["w", name], { run: number }) }, `run ${number}`), tag(phase), when(startTime),
      took(startTime, completionTime), startedBy]));
  const details = () => [h("h2", "Conditions"), table(["Type", "Status", "Since", "Reason", "Message"],
    shape.status.conditions.map((one) =>
      [one.type, one.status, when(one.lastTransitionTime), one.reason, one.message])),
  shape.status.hooks.length > 0 && [h("h2", "Hooks"), table(["Hook", "Phase", "Message"],
    shape.status.hooks.map((hook) => [stepButton(hook), hook.phase, hook.message]))],
  h("h2", "Spec"), h("pre", { tabindex: 0 }, JSON.stringify(shape.spec, null, 2))];

  function keys({ key, target }) {
    const does = { Escape: () => (chosen.step ? choose({ step: "" }) : (location.hash = "#/")),
      l: () => chosen.step && (location.hash = link(["w", name, "log"], { step: chosen.step })),
      " ": !target.closest?.("button, a, summary, [role=button]") && (() => scrubber.turn()),
      "+": () => graph.zoomBy(1.25), "-": () => graph.zoomBy(0.8), 0: () => graph.fit(0) }[key];
    if (TABS[key - 1]) choose({ tab: TABS[key - 1] });
    else if (does) does();
    return Boolean(TABS[key - 1] || does);
  }
  function ticked() {
    if (!changes || changes.completion || scrubber.moment !== null) return;
    scrubber.draw();
    repaint();
  }
  await refetch();
  place.replaceChildren(head, tabs, h("div.split", h("div.stage", body, scrubber.element), side));
  return { title: name, follow: { workflow: uid, rows: true, since }, on, refresh, keys, tick: ticked,
    close: () => graph.close() };
}

// A spec that has never been valid: why not. When it is, its row comes.
function invalid(place, page, { id, metadata: { name }, status }) {
  place.replaceChildren(h("div.head", h("div.title", ...up([""], "Workflows"), h("h1", name), tag("Invalid"))),
    trouble(status.message), h("p.hint", "Nothing of it runs until its file is valid."));
  const on = (kind, data) => data.name === name && page.again();
  return { title: name, follow: { rows: true, since: id }, on, refresh: page.again };
}

const numberOf = (shape) => shape.status.runs.at(-1)?.number ?? 0;

// Children come after their parent.
function inOrder(steps) {
  const below = Map.groupBy(steps, (step) => step.parent);
  const all = (step) => [step, ...(below.get(step.name) ?? []).flatMap(all)];
  return (below.get(null) ?? []).flatMap(all);
}

// How what is folded in a node stands: `1 failed, 2 of 3 succeeded`.
function standing(known, id) {
  const phases = [...known].filter(([step]) => step.startsWith(`${id}[`) || step.startsWith(`${id}/`))
    .map(([, { phase }]) => phase);
  const count = (phase) => phases.filter((one) => one === phase).length;
  return [count("Failed") && `${count("Failed")} failed`, count("Running") && `${count("Running")} running`,
    `${count("Succeeded")} of ${phases.length} done`].filter(Boolean).join(", ");
}
