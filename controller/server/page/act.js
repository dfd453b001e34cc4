// The buttons that change something. Each shows first what it would do, and the command that does
// the same; only then it does it.

import { post, session, url } from "./api.js";
import { fill, h, trouble, valueOf } from "./dom.js";

const OPTIONS = { retry: { downstream: "also what depends on it" }, cancel: { drain: "let running steps finish" } };

// A button for it; none for those who may only view. `target` is {name, uid, run, spec}, `what` the
// rest of the request.
export function button(word, action, target, page, what = {}, look = "button") {
  const onclick = () => ask(word, action, target, page, what);
  return session.mayOperate && h(look, { "data-act": action, onclick }, word);
}

function ask(word, action, { name, uid, run, spec }, page, what) {
  const body = { uid, ...(action === "start" ? {} : { run }), ...what };
  const path = url("workflows", name, action);
  const told = h("div.told", { "aria-live": "polite" });
  const isHard = action === "cancel" || what.approved === false;
  const sure = h(isHard ? "button.main.bad" : "button.main", { onclick: act }, word);

  async function send(more) {
    sure.disabled = true;
    try {
      return await post(path, { ...body, ...more });
    } catch (error) {
      fill(told, trouble(error.message), error.code === 409
        && h("p", "It has changed since this page showed it. Close this, look at it again, and decide then."));
    }
  }
  async function foretell() {
    const answer = await send({ dryRun: true });
    if (!answer) return;
    fill(told, h("p", answer.message), h("p.hint", "The same in a terminal:"), h("pre", answer.command));
    sure.disabled = false;
  }
  async function act() {
    const answer = await send();
    if (!answer) return;
    box.close();
    page.say(answer.message);
  }
  function set(place, field, value) {
    if (value === "" || value === false) delete place[field];
    else place[field] = value;
    foretell();
  }
  const field = (label, props) => h("label.field", h("span", label), h("input", { autocomplete: "off", ...props }));
  const params = action === "start" ? Object.entries(spec.params ?? {}) : [];
  if (params.length) body.params = {};
  const box = h("dialog.act", { "aria-label": `${word} ${name}` },
    h("h2", `${word} `, h("b", [name, ...(what.steps ?? [])].join(" / "))),
    params.map(([param, given]) => {
      const otherwise = given && !Array.isArray(given) && typeof given === "object" ? given.default : given;
      const onchange = ({ target }) => set(body.params, param, target.value); // the server knows its type
      return field(param, { placeholder: valueOf(otherwise ?? ""), onchange });
    }),
    Object.entries(OPTIONS[action] ?? {}).map(([option, label]) => h("label.check",
      h("input", { type: "checkbox", onchange: ({ target }) => set(body, option, target.checked) }), label)),
    action !== "resume" && field("Reason", { placeholder: "for those who ask later",
      onchange: ({ target }) => set(body, "reason", target.value) }),
    told, h("div.row.end", h("button", { onclick: () => box.close() }, "Close"), sure));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  foretell();
}
