// One workflow: its verdict, and one run of it as a graph, a timeline and a table, live or played.

import { get, gently, url } from "./api.js";
import { button } from "./act.js";
import { definition } from "./definition.js";
import {
  ENDED, banner, fact, faults, fill, glyph, h, link, pairs, span, table, tag, took, trouble, up, when,
} from "./dom.js";
import { Graph } from "./graph.js";
import { exitOf, memoryOf, panel, triesOf } from "./step.js";
import { Changes, Scrubber, timeline } from "./timeline.js";

const TABS = ["Graph", "Timeline", "Table", "Runs", "Details"];
const FAILED_MAX = 5; // steps that are named above the picture
const NOTHING = { verdict: "", standing: "", criticalPath: [], printed: {} }; // is known of a run that is over

export async function workflow(place, { parts, query }, page) {
  const path = url("workflows", parts[1]);
  const asked = { run: query.run };
  let shape = await get(path, asked);
  if (shape.status.triggers) return definition(place, path, page, shape);
  if (!shape.metadata.uid) return invalid(place, page, shape);

  const { name, uid } = shape.metadata;
  const since = shape.id;
  const chosen = { tab: TABS[0], step: "", run: "", ...query };
  if (!shape.status.completionTime) chosen.run = asked.run = ""; // it is the present one
  let seen = shape; // as it was at the moment that is shown
  let insight = NOTHING;
  let changes = null;
  const [head, body] = [h("div.head"), h("div.body")];
  const tabs = h("nav.tabs", { "aria-label": "Views of the run" });
  const side = h("aside.side", { hidden: true, "aria-label": "Step" });
  const graph = new Graph((step) => pick(step));
  const scrubber = new Scrubber(() => draw());
  const repaint = gently(() => changes && paint(), 0.02);
  const isPresent = () => !chosen.run && scrubber.moment === null;

  async function refetch() {
    const before = [numberOf(shape), ...shape.status.steps.map((step) => step.name)].join();
    [shape, insight] = await Promise.all([get(path, asked), chosen.run ? NOTHING : get(`${path}/insight`)]);
    if (!changes || before !== [numberOf(shape), ...shape.status.steps.map((step) => step.name)].join()) {
      const { layout } = await get(`${path}/graph`);
      graph.show(layout);
      if (chosen.step) graph.mark(chosen.step);
      changes = new Changes(shape);
    }
    if (numberOf(shape) && !changes.asked) learn(changes, numberOf(shape)); // it takes longer
    graph.decide(insight.criticalPath);
    changes.ends(shape);
    scrubber.draw(changes);
    draw();
  }
  const learn = (about, run) => (about.asked = get(`${path}/changes`, { run })
    .then((told) => (about.learn(told), scrubber.draw(), draw()))
    .catch((error) => (about.asked = null, page.failed(error))));
  const refresh = () => refetch().then(page.answered, page.failed);
  const soon = gently(refresh);

  function on(kind, data) {
    if (kind === "gone" && data.uid === uid) return page.again();
    if (kind !== "record" || chosen.run) return;
    for (const event of data) {
      if (event.type === "RunStarted") changes = null; // another run: all of it is asked for
      if (!changes) scrubber.go(null);
      if (event.type === "PhaseChanged") changes?.add(event);
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

  // Its shape as it was at a moment: phases, and what was said of them.
  function asOf(moment) {
    const known = changes.at(moment);
    const then = (one) => {
      const { phase, told: message } = known.get(one.name ?? "") ?? { phase: "Pending", told: "" };
      const attempts = one.attempts?.filter(({ finishTime }) => Date.parse(finishTime) <= moment);
      return { ...one, phase, message, reason: "", attempts };
    };
    const { status } = shape;
    return { ...shape, status: { ...then(status), completionTime: null, steps: status.steps.map(then) } };
  }

  function draw() {
    const [{ moment }, { tab }] = [scrubber, chosen];
    if (!changes) return;
    page.asOf(moment ?? (chosen.run ? changes.end : null));
    seen = moment === null ? shape : asOf(moment);
    drawHead();
    fill(tabs, TABS.map((each, index) => h("button", { "aria-current": each === tab && "true",
      title: `key ${index + 1}`, onclick: () => choose({ tab: each }) }, each)));
    scrubber.element.hidden = tab !== "Graph" && tab !== "Timeline";
    const isGraph = tab === "Graph";
    if (isGraph !== body.contains(graph.element)) body.replaceChildren(...(isGraph ? [graph.element] : []));
    if (tab === "Table") fill(body, steps());
    if (tab === "Runs") fill(body, runs());
    if (tab === "Details") fill(body, details());
    const step = [...seen.status.steps, ...seen.status.hooks].find((one) => one.name === chosen.step);
    side.hidden = !step;
    if (step) panel(side, step, seen, { page, pick, run: numberOf(seen), isPresent: isPresent(), again: draw });
    paint();
  }

  // What changes from moment to moment: the phases in the picture.
  function paint() {
    const { moment } = scrubber;
    if (chosen.tab === "Timeline") {
      fill(body, timeline(changes, moment, inOrder(shape.status.steps).map((step) => step.name),
        { critical: insight.criticalPath, chosen: chosen.step, pick }));
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
    const { metadata, status, spec } = seen;
    const { phase, runs: all, startTime, completionTime, message, conditions } = status;
    const number = numberOf(seen);
    const act = (word, action, what, look) => button(word, action, { name, uid, run: number, spec }, page, what, look);
    const { verdict, standing: how, usualSeconds, expectedEnd } = insight;
    const of = metadata.definition?.name;
    const now = isPresent();
    const asks = status.steps.filter(({ approval }) => approval?.open && now);
    const invalid = conditions.find(({ type, status: is }) => type === "SpecInvalid" && is === "True");
    fill(head,
      h("div.title", up([""], "Workflows"), of && up(["w", of], of),
        h("h1", of ? name.slice(of.length) : name), tag(phase), h("span.space"),
        now && (ENDED.has(phase) ? phase !== "Succeeded" && act("Retry", "retry", {}, "button.main")
          : [phase === "Suspended" ? act("Resume", "resume") : act("Suspend", "suspend"), act("Cancel", "cancel")])),
      h("p.verdict", !now ? message : how.startsWith(verdict) ? how : [verdict, how && ` · ${how}`]),
      h("div.facts", number > 0 && fact("run", number), startTime && fact("started", when(startTime)),
        startTime && fact(completionTime ? "took" : "has taken", took(startTime, completionTime)),
        usualSeconds && fact("usually", span(usualSeconds)),
        now && expectedEnd && fact("expected end", when(expectedEnd)),
        number > 0 && fact("because of", all.at(-1).startedBy), fact("generation", metadata.generation),
        pairs(metadata.labels)),
      Object.keys(status.params).length > 0 && h("div.facts", fact("params", ""), pairs(status.params)),
      chosen.run && banner("warn", "!", "past", h("span", `This is run ${number}. `,
        h("a", { href: link(["w", name]) }, "Show the present one"))),
      now && invalid && banner("bad", "✗", "invalid", h("span", "Its file is invalid, so generation ",
        `${metadata.generation} stays in force.`, faults(invalid.message))),
      asks.map(({ name: step, approval: { message: said, number: question, dueTime } }) =>
        banner("asks", "?", `${step} ${question}`, h("span", h("b", step), ` asks: ${said}`,
          dueTime && h("span.hint", " until ", when(dueTime))), h("span.space"),
        act("Approve", "approve", { steps: [step], question, approved: true }, "button.main"),
        act("Reject", "approve", { steps: [step], question, approved: false }))),
      failures());
  }
  // What failed and the last thing that it printed: what somebody looks for first.
  function failures() {
    const failed = [...seen.status.steps, ...seen.status.hooks].filter(({ phase }) => phase === "Failed");
    const above = new Set(failed.map(({ parent }) => parent));
    const alone = failed.filter((step) => !above.has(step.name));
    const last = ({ name: step }) => insight.printed[step]?.findLast((line) => line.trim());
    const log = (step) => h("a", { href: link(["w", name, "log"], { step: step.name }) }, "log");
    return seen.status.phase !== "Succeeded" && alone.length > 0 && h("ul.failures",
      alone.slice(0, FAILED_MAX).map((step) => h("li", stepButton(step),
        h("span", [step.message, last(step)].filter(Boolean).join(": ")), step.attempts.length > 0 && log(step))),
      alone.length > FAILED_MAX && h("li.hint", `and ${alone.length - FAILED_MAX} more, in the table`));
  }

  const stepButton = (step) => h(step.parent ? "button.to.child" : "button.to", { onclick: () => pick(step.name) },
    glyph(step.phase), step.name);
  const steps = () => table(["Step", "Phase", "Tries", "Time", "Exit", "CPU", "Memory", "After", "Note"],
    [...inOrder(seen.status.steps), ...seen.status.hooks].map((step) => {
      const tries = triesOf(step, numberOf(seen));
      const last = tries.at(-1) ?? {};
      return h(step.name === chosen.step ? "tr.chosen" : "tr", { "data-key": step.name }, [stepButton(step), step.phase,
        tries.length || "-", took(last.startTime, last.finishTime), exitOf(last), span(last.usage?.cpuSeconds),
        memoryOf(last.usage), step.dependsOn?.join(", ") || "-", step.message].map((cell) => h("td", cell)));
    }));
  const runs = () => table(["Run", "Phase", "Started", "Took", "Because of"],
    seen.status.runs.toReversed().map(({ number, phase, startTime, completionTime, startedBy }) => [
      h("a", { href: link(["w", name], { run: number }) }, `run ${number}`), tag(phase), when(startTime),
      took(startTime, completionTime), startedBy]));
  const details = () => [h("h2", "Conditions"), table(["Type", "Status", "Since", "Reason", "Message"],
    seen.status.conditions.map((one) => [one.type, one.status, when(one.lastTransitionTime), one.reason, one.message])),
  h("h2", "Spec"), h("pre", { tabindex: 0 }, JSON.stringify(seen.spec, null, 2))];

  function keys({ key, target }) {
    const tab = TABS[key - 1];
    const does = tab ? () => choose({ tab }) : { Escape: chosen.step && (() => choose({ step: "" })),
      l: () => chosen.step && (location.hash = link(["w", name, "log"], { step: chosen.step })),
      " ": !target.closest?.("button, a, summary, [role=button]") && (() => scrubber.turn()),
      "+": () => graph.zoomBy(1.25), "-": () => graph.zoomBy(0.8), 0: () => graph.fit(0) }[key];
    if (does) does();
    return Boolean(does);
  }
  const ticked = () => changes && !changes.completion && scrubber.moment === null && (scrubber.draw(), repaint());
  await refetch();
  place.replaceChildren(head, tabs, h("div.split", h("div.stage", body, scrubber.element), side));
  return { title: name, follow: { workflow: uid, rows: true, since }, on, refresh, keys, up: "#/", tick: ticked,
    close: () => graph.close() };
}

// A spec that has never been valid: why not. When it is, its row comes.
function invalid(place, page, { id, metadata: { name }, status }) {
  place.replaceChildren(h("div.head", h("div.title", ...up([""], "Workflows"), h("h1", name), tag("Invalid"))),
    trouble("Its file is invalid, so nothing of it runs."), faults(status.message));
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
