// The panel of one step: why it is as it is, its attempts, its outputs.

import { get } from "./api.js";
import { button } from "./act.js";
import { ENDED, bytes, fill, h, link, span, table, tag, took, valueOf, when } from "./dom.js";

// The attempts of one run.
export const triesOf = (step, run) => step.attempts.filter((attempt) => attempt.run === run);

const explained = { about: "", lines: [] }; // what was asked last

export function panel(place, step, { metadata, spec }, { page, pick, run }) {
  const { name, uid } = metadata;
  const about = [uid, step.name, step.phase, step.message].join();
  const words = { steps: [step.name] };
  const act = (word, action) => button(word, action, { name, uid, run }, page, words);
  const written = spec.steps?.find((one) => one.name === step.name.split(/[[/]/)[0]);
  const log = (attempt) => link(["w", name, "log"], { step: step.name, attempt });
  const heading = (word, ...content) => [h("h3", word), content];
  fill(place,
    h("div.title", h("h2", step.name), h("span.space"),
      h("button.quiet", { "aria-label": "Close", title: "Esc", onclick: () => pick(step.name) }, "×")),
    h("p", tag(step.phase), h("span.hint", step.reason)), h("p", step.message),
    h("div.row", step.attempts.length > 0 && h("a.button", { href: log() }, "Log"),
      !step.kind && (ENDED.has(step.phase) ? act("Retry step", "retry") : act("Cancel step", "cancel"))),
    heading("Why", h("div.explained", { tabindex: 0 }, explained.about === about && explained.lines.join("\n"))),
    step.dependsOn?.length > 0 && heading("Runs after", h("p.row", step.dependsOn.map((other) =>
      h("button.pair", { onclick: () => pick(other) }, other)))),
    step.attempts.length > 0 && heading("Attempts", step.attempts.toReversed().map((one, index) =>
      h("details", { "data-key": one.number, open: index === 0 },
        h("summary", `${one.number} `, tag(one.phase, one.reason ?? one.phase), took(one.startTime, one.finishTime),
          one.run !== run && h("span.hint", ` of run ${one.run}`)),
        h("p", [one.message, ...one.notes].join("; ")), h("p.facts", facts(one).map(([word, value]) =>
          h("span.fact", h("b", word), " ", value)), h("a", { href: log(one.number) }, "log"))))),
    Object.keys(step.outputs ?? {}).length > 0 && heading("Outputs",
      table(["Name", "Value"], Object.entries(step.outputs).map(([output, value]) => [output, valueOf(value)]))),
    written && heading("Written", h("pre", { tabindex: 0 }, written.run ?? JSON.stringify(written, null, 2))));
  if (explained.about === about) return;
  Object.assign(explained, { about, lines: [] });
  get("explain", { workflow: name, step: step.name }).then(({ lines }) => {
    if (explained.about !== about) return;
    explained.lines = lines;
    fill(place.querySelector(".explained"), lines.join("\n"));
  }, page.failed);
}

export const exitOf = ({ exitCode, signal }) => exitCode ?? (signal ? `signal ${signal}` : "-");
export const memoryOf = (usage) => (usage?.maxRssBytes ? bytes(usage.maxRssBytes) : "-");

const facts = (attempt) => [
  ["started", when(attempt.startTime)], ["exit", exitOf(attempt)], ["CPU", span(attempt.usage.cpuSeconds)],
  ["memory", memoryOf(attempt.usage)], ["generation", attempt.generation],
  ...(attempt.engine === "local" ? [] : [["engine", `${attempt.engine} ${attempt.handle ?? ""}`]])];
