// The buttons that change something. Each shows first what it would do, and the command that does
// the same; only then it does it.

import { post, session, url } from "./api.js";
import { fill, h, trouble, valueOf } from "./dom.js";

const OPTIONS = { retry: { downstream: "Also run again the later steps that have succeeded" },
  cancel: { drain: "Let running steps finish" } };

// A button for it; none for those who may only view. `target` is {name, uid, run, spec}, `what` the
// rest of the request.
export function button(word, action, target, page, what = {}, look = "button") {
  const onclick = () => ask(word, action, target, page, what);
  return session.mayOperate && h(look, { "data-act": action, onclick }, word);
}

function ask(word, action, { name, uid, run, spec }, page, what) {
  const params = Object.entries((action === "start" && spec.params) || {}).map(([param, given]) =>
    [param, given && !Array.isArray(given) && typeof given === "object" ? given : { default: given }]);
  const body = { uid, ...(action === "start" ? { params: {} } : { run }), ...what };
  const told = h("div.told", { "aria-live": "polite" });
  const sure = h(`button.main${action === "cancel" || what.approved === false ? ".bad" : ""}`, { onclick: act }, word);

  function send(more) {
    sure.disabled = true;
    return post(url("workflows", name, action), { ...body, ...more }).catch(({ code, message }) =>
      fill(told, trouble(message.replace(/(^|; )-p /g, "$1")), code === 409
        && h("p", "It has changed since this page showed it. Close this, look at it again, and decide then.")));
  }
  let [soon, asked] = [0, 0];
  async function foretell() {
    const mine = ++asked;
    const missing = params.filter(([param, given]) => !("default" in given || param in body.params));
    if (missing.length) fill(told, h("p.hint", `To be filled in: ${missing.map(([param]) => param).join(", ")}`));
    const answer = missing.length === 0 && await send({ dryRun: true });
    if (mine !== asked) return;
    sure.disabled = !answer;
    if (answer) fill(told, h("p", answer.message), h("p.hint", "The same in a terminal:"), h("pre", answer.command));
  }
  async function act() {
    const answer = await send();
    if (answer) page.say(answer.message);
    if (answer) box.close();
  }
  function set(place, field, value) {
    if (value === "" || value === false) delete place[field];
    else place[field] = value;
    soon = clearTimeout(soon) ?? setTimeout(foretell, 250);
  }
  const field = (label, props) => h("label.field", h("span", label), h("input", { autocomplete: "off", ...props }));
  const box = h("dialog.act", { "aria-label": `${word} ${name}` },
    h("h2", `${word} `, h("b", [name, ...(what.steps ?? [])].join(" / "))),
    params.map(([param, given]) => field(param, { placeholder: valueOf(given.default ?? given.description ?? ""),
      title: given.description, required: !("default" in given),
      oninput: ({ target }) => set(body.params, param, target.value) })), // the server knows its type
    Object.entries(OPTIONS[action] ?? {}).map(([option, label]) => h("label.check",
      h("input", { type: "checkbox", onchange: ({ target }) => set(body, option, target.checked) }), label)),
    action !== "resume" && field("Reason", { placeholder: "for those who ask later",
      oninput: ({ target }) => set(body, "reason", target.value) }),
    told, h("div.row.end", h("button", { onclick: () => box.close() }, "Close"), sure));
  box.addEventListener("close", () => box.remove());
  addEventListener("hashchange", () => box.close(), { once: true }); // it is about what was shown
  document.body.append(box);
  box.showModal();
  foretell();
}
