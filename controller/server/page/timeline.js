// The changes of one run: the phases at any moment of it, a timeline of them, and the scrubber that
// plays them. They are fetched once; the stream adds to them. Moments are in ms; null is the present.

import { ENDED, clock, fill, glyph, h, span, when } from "./dom.js";

const TICKS = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 86400, 604800];
const PLAY_SECONDS = 20; // in which a run is played, however long it took
const KINDS = { BackOff: "backoff", AwaitingApproval: "asks", Running: "running", Ready: "waiting" };
const WORDS = { waiting: "waits for a slot", running: "runs", failed: "failed", backoff: "backs off", asks: "asks" };

export class Changes {
  moves = []; // [microseconds, step, phase, reason, message, number of the record], the last one of news alone

  // Until all of the past is known, the phases are as they are in the shape.
  constructor({ status }) {
    this.first = new Map(status.steps.map(({ name, phase }) => [name, { phase, note: "", told: "" }]));
    this.start = status.startTime ? Date.parse(status.startTime) : clock.live;
  }

  // The answer to `changes`; `began` has the phases at the start.
  learn({ id, startTime, moves, began }) {
    this.moves = [...moves, ...this.moves.filter((move) => move[5] > Number(id.split(".")[1]))];
    for (const [name, one] of this.first) one.phase = began[name] ?? "Pending";
    this.start = Date.parse(startTime);
  }

  ends({ status: { completionTime: end } }) { this.completion = end ? Date.parse(end) : null; }

  get end() { return this.completion ?? Math.max(this.start, clock.live); }

  // Of an event `PhaseChanged`.
  add({ seq, time, step, phase, reason, message }) {
    this.moves.push([Date.parse(time) * 1000, step ?? "", phase, reason, message, seq]);
  }

  *until(moment) {
    for (const [micros, step, phase, reason, told] of this.moves) {
      const at = Math.max(this.start, micros / 1000);
      if (moment !== null && at > moment) return;
      yield { at, step, phase, reason, told };
    }
  }

  // What was known of each step: {phase, note, told} by its name.
  at(moment) {
    const known = new Map(this.first);
    const begun = new Map();
    for (const { at, step, phase, told } of this.until(moment)) {
      if (phase === "Running") begun.set(step, at);
      const note = ENDED.has(phase) && begun.has(step) ? span((at - begun.get(step)) / 1000) : "";
      known.set(step, { phase, told, note });
    }
    for (const [step, one] of known) {
      if (one.phase === "Running" && begun.has(step)) one.note = span(((moment ?? this.end) - begun.get(step)) / 1000);
    }
    return known;
  }

  // Of each step, the parts of its time: [{kind, from, to, told}].
  parts(moment) {
    const rows = new Map();
    for (const { at, step, phase, reason, told } of this.until(moment)) {
      const row = rows.get(step) ?? rows.set(step, []).get(step);
      const last = row.at(-1);
      if (last?.kind === "running" && (phase === "Failed" || reason === "BackOff")) last.kind = "failed";
      if (last) last.to = at;
      row.push({ kind: KINDS[reason] ?? KINDS[phase], from: at, to: moment ?? this.end, told });
    }
    return rows;
  }
}

// A row for each of these steps: waiting, running, failed and backoff parts of its time.
export function timeline(changes, moment, steps, { critical, chosen, pick }) {
  const end = Math.max(changes.end, changes.start + 100);
  const total = (end - changes.start) / 1000;
  const gap = TICKS.find((each) => total / each <= 8) ?? total / 8;
  const share = (ms) => `${((ms / (end - changes.start)) * 100).toFixed(3)}%`;
  const ticks = Array.from({ length: Math.floor(total / gap) + 1 }, (_, index) => index * gap);
  const [known, parts] = [changes.at(moment), changes.parts(moment)];
  const bar = ({ kind, from, to, told }) => h(`i.part.${kind}`, {
    title: `${WORDS[kind]} ${span((to - from) / 1000)}\n${told}`,
    style: { left: share(from - changes.start), width: share(to - from) } });
  return h("div.timeline", h("ul.legend", { "aria-hidden": "true" }, Object.entries(WORDS).map(([kind, word]) =>
    h("li", h(`i.part.${kind}`), word)), critical.length > 0 && h("li", h("b", "step"), "on the critical path")),
  h("div.axis", { "aria-hidden": "true" }, h("span.track", ticks.map((at) =>
    h("span", { style: { left: share(at * 1000) } }, span(at).replace(".0s", "s"))),
  moment !== null && h("b", { style: { left: share(moment - changes.start) } }))),
  h("ul.rows", steps.map((step) => {
    const { phase, note } = known.get(step) ?? { phase: "Pending", note: "" };
    return h(critical.includes(step) ? "li.critical" : "li", { "data-key": step },
      h("button.step", { "aria-pressed": String(chosen === step), "aria-label": `${step}: ${phase} ${note}`,
        onclick: () => pick(step) }, glyph(phase), h("span", step)),
      h("span.track", parts.get(step)?.filter(({ kind }) => kind).map(bar)), h("span.num", note));
  })));
}

// Plays a run. `show()` is called when `moment` is another one.
export class Scrubber {
  moment = null;
  element = h("div.scrubber", { role: "group", "aria-label": "Play the run" });
  constructor(show) { this.show = show; }

  draw(changes = this.changes) {
    this.changes = changes;
    const { start, end, completion } = changes;
    const after = (this.moment ?? end) - start;
    fill(this.element,
      h("button.quiet", { "aria-label": this.playing ? "Pause" : "Play", title: "space", onclick: () => this.turn() },
        this.playing ? "❚❚" : "▶"),
      h("input", { type: "range", min: 0, max: Math.max(1, Math.round(end - start)), "aria-label": "Moment of the run",
        "aria-valuetext": `${span(after / 1000)} after the start`,
        oninput: ({ target }) => this.go(start + Number(target.value)) }),
      h("span.num", span(after / 1000)), h("span.hint", when(start + after)),
      h("button.quiet", { disabled: this.moment === null, onclick: () => this.go(null) }, completion ? "End" : "Now"));
    this.element.querySelector("input").value = after;
  }

  go(moment) {
    this.moment = moment !== null && moment < this.changes.end ? moment : null;
    this.playing &&= this.moment !== null;
    this.draw();
    this.show();
  }

  turn() {
    this.playing = !this.playing;
    this.moment ??= this.playing ? this.changes.start : null;
    const speed = Math.max(1, (this.changes.end - this.changes.start) / (1000 * PLAY_SECONDS));
    let last = performance.now();
    const frame = (now) => {
      if (!this.playing || !this.element.isConnected) return;
      this.go(this.moment + Math.max(0, now - last) * speed);
      last = now;
      requestAnimationFrame(frame);
    };
    this.draw();
    requestAnimationFrame(frame);
  }
}
