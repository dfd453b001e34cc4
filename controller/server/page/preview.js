// What a revision, the next commit, or the drafts would do: drawn on the graph, with the reasons.

import { get } from "./api.js";
import { fill, h, link, plural, select, table, tag, trouble } from "./dom.js";
import { Graph } from "./graph.js";

const DOES = {
  keep: "keeps its result", continue: "runs on", restart: "is stopped and runs again", run: "runs", remove: "leaves",
};
const QUIET = new Set(["keep", "continue"]);
const SOURCES = {
  folder: "the folder as it is", staged: "what is staged in git", rev: "a revision of git", drafts: "the drafts",
};

const faultItem = ({ file, line, column, problem, hint }) =>
  h("li", h("code", `${file}:${line}:${column}`), ` ${problem}`, hint && h("span.hint", `; ${hint}`));

export async function preview(place, { query }, page) {
  const chosen = { of: "folder", rev: "", workflow: "", ...query };
  const { drafts, git, id } = await get("controller");
  const sources = Object.fromEntries(Object.entries(SOURCES).filter(([of]) =>
    of === "folder" || of === chosen.of || (of === "drafts" ? drafts : git)));
  const graph = new Graph((step) => place.querySelector(`[data-row="${CSS.escape(step)}"]`)?.scrollIntoView());
  const [form, answer, title, steps] = [h("div.tools"), h("div.answer"), h("h2"), h("div")];
  const hints = h("p.hint", !git && "To look at a revision or the next commit, keep the specs in a git repository. ",
    !drafts && ["To look at the specs of another folder, start ", h("code", "treadle serve --drafts DIR"), "."]);
  const detail = h("section", { hidden: true }, title, graph.element, steps);
  place.replaceChildren(h("h1", "Preview"),
    h("p.hint", "What a change of the specs would do. Nothing is started."), form, hints, answer, detail);
  let told = null;

  async function ask() {
    drawForm();
    if (chosen.of === "rev" && !chosen.rev) return;
    page.remember(["preview"], chosen);
    fill(answer, h("p.hint", "Looking …"));
    try {
      const { of, rev } = chosen;
      told = await get("diff", { staged: of === "staged", drafts: of === "drafts", rev: of === "rev" && rev });
      draw();
    } catch (error) {
      detail.hidden = true;
      fill(answer, trouble(error.message));
    }
  }
  function drawForm() {
    const pick = (of) => (chosen.of = of, ask());
    fill(form, h("label", "What would happen with ", select("Specs", sources, chosen.of, pick)),
      chosen.of === "rev" && h("input", { "aria-label": "Revision", placeholder: "origin/main", value: chosen.rev,
        onchange: ({ target }) => (chosen.rev = target.value, ask()) }), h("button.main", { onclick: ask }, "Look"));
  }

  function draw() {
    const { items, faults, graphs } = told;
    const touched = items.filter((one) => one.from !== one.to || one.steps.some(({ action }) => !QUIET.has(action)));
    const one = touched.find(({ workflow }) => workflow === chosen.workflow) ?? touched[0];
    const pick = (workflow) => (chosen.workflow = workflow, page.remember(["preview"], chosen), draw());
    const counts = (steps) => Object.entries(Object.groupBy(steps, ({ action }) => action)).map(([does, all]) =>
      tag(does, `${does} ${all.length}`));
    const row = (each) => [
      h("button.to", { "aria-pressed": String(each === one), onclick: () => pick(each.workflow) }, each.workflow),
      `${each.from || "new"} → ${each.to || "gone"}`, counts(each.steps)];
    const others = plural(items.length - touched.length, "other");
    fill(answer, faults.length > 0 && [h("h2", plural(faults.length, "fault")), h("ul.faults", faults.map(faultItem))],
      h("p.verdict", touched.length ? `${plural(touched.length, "workflow")} would change, ${others} would not.`
        : "Nothing would change."),
      touched.length > 0 && table(["Workflow", "Generation", "What its steps would do"], touched.map(row)));
    detail.hidden = !one;
    if (!one) return;
    const layout = graphs?.[one.workflow];
    fill(title, h("a", { href: link(["w", one.workflow]) }, one.workflow));
    graph.element.hidden = !layout;
    if (layout) graph.show(layout);
    graph.paint(new Map(one.steps.map(({ name, action, reason, message }) =>
      [name, { phase: action, note: action, told: message ?? reason }])));
    fill(steps, table(["Step", "What it does", "Reason"], one.steps.map(({ name, action, reason, message }) =>
      [h("span", { "data-row": name }, name), tag(action, DOES[action]), message ?? reason])));
  }
  await ask();
  return { title: "Preview", follow: { since: id }, on() {}, refresh() {}, close: () => graph.close() };
}
