// The panel of one step: why it is as it is, its attempts, its outputs.

import { get } from "./api.js";
import { button } from "./act.js";
import { ENDED, bytes, fact, fill, glyph, h, isNothing, link, span, table, tag, took, valueOf, when } from "./dom.js";

const CAUSES_MAX = 12; // that are shown

// The attempts of one run.
export const triesOf = (step, run) => step.attempts.filter((attempt) => attempt.run === run);

let explained = {}; // what was asked last: what it is `about`, and the answer as `told`

// `isPresent`: the step is shown as it is now, so there is something to explain and to do. `again()`
// draws it once more, when its explanation has come.
export function panel(place, step, { metadata, spec }, { page, pick, run, isPresent, again }) {
  const { name, uid } = metadata;
  const about = [uid, step.name, step.phase, step.message, step.attempts.length].join();
  const act = (word, action) => button(word, action, { name, uid, run }, page, { steps: [step.name] });
  const written = spec.steps?.find((one) => one.name === step.name.split(/[[/]/)[0]);
  const log = (attempt) => link(["w", name, "log"], { step: step.name, attempt });
  const heading = (word, ...content) => [h("h3", word), content];
  const to = (other) => h("button.to", { onclick: () => pick(other) }, other);

  const { steps: [known] = [], printed = {} } = (isPresent && explained.about === about && explained.told) || {};
  const [own, ...causes] = known?.causes ?? [];
  const lines = (of) => printed[of]?.length > 0 && h("pre", printed[of].join("\n"));
  const cause = ({ depth, step: other, phase, message }) => h("li", { style: { "--depth": depth } },
    phase && [glyph(phase), to(other), ": "], message, lines(other));
  const why = (number) => known?.attempts.find((one) => one.number === number)?.why || null;
  fill(place,
    h("div.title", h("h2", step.name), h("span.space"),
      h("button.quiet", { "aria-label": "Close", title: "Esc", onclick: () => pick(step.name) }, "×")),
    h("p", tag(step.phase), h("span.hint", step.reason)), h("p", own?.message ?? step.message), lines(step.name),
    h("div.row", step.attempts.length > 0 && h("a.button", { href: log() }, "Log"),
      isPresent && !step.kind && (ENDED.has(step.phase) ? act("Retry step", "retry") : act("Cancel step", "cancel"))),
    causes.length > 0 && heading("Why", h("ul.causes", causes.slice(0, CAUSES_MAX).map(cause)),
      causes.length > CAUSES_MAX && h("p.hint", `and ${causes.length - CAUSES_MAX} more`)),
    step.dependsOn?.length > 0 && heading("Runs after", h("p.row", step.dependsOn.map((other) =>
      h("button.pair", { onclick: () => pick(other) }, other)))),
    known?.generation > 1 && heading(`Generation ${known.generation}`, h("p", known.effect.message)),
    step.attempts.length > 0 && heading("Attempts", step.attempts.toReversed().map((one, index) =>
      h("details", { "data-key": one.number, open: index === 0 },
        h("summary", `${one.number} `, tag(one.phase, one.reason ?? one.phase), took(one.startTime, one.finishTime),
          one.run !== run && h("span.hint", ` of run ${one.run}`)),
        h("p", [one.message, ...one.notes].join("; ")), h("p.facts", facts(one, why(one.number)).map(([word, value]) =>
          !isNothing(value) && fact(word, value)), h("a", { href: log(one.number) }, "log"))))),
    Object.keys(step.outputs ?? {}).length > 0 && heading("Outputs",
      table(["Name", "Value"], Object.entries(step.outputs).map(([output, value]) => [output, valueOf(value)]))),
    written && heading("Written", h("pre", { tabindex: 0 }, written.run ?? JSON.stringify(written, null, 2))));
  if (explained.about === about || !isPresent) return;
  const mine = (explained = { about });
  get("explain", { workflow: name, step: step.name }).then((told) => (mine.told = told, again()), page.failed);
}

export const exitOf = ({ exitCode, signal }) => exitCode ?? (signal ? `signal ${signal}` : "-");
export const memoryOf = (usage) => (usage?.maxRssBytes ? bytes(usage.maxRssBytes) : "-");

const facts = (attempt, why) => [
  ["started", when(attempt.startTime)], ["exit", exitOf(attempt)], ["CPU", span(attempt.usage.cpuSeconds)],
  ["memory", memoryOf(attempt.usage)], ["generation", attempt.generation], ["because of", why],
  ["engine", attempt.engine !== "local" && `${attempt.engine} ${attempt.handle ?? ""}`]];
