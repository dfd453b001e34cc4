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
  const told = h("div.told", { "aria-live": "polite" });
  const isHard = action === "cancel" || what.approved === false;
  const sure = h(isHard ? "button.main.bad" : "button.main", { onclick: act }, word);

  async function send(more) {
    sure.disabled = true;
    try {
      return await post(url("workflows", name, action), { ...body, ...more });
    } catch (error) {
      fill(told, trouble(error.message), error.code === 409
        && h("p", "It has changed since this page showed it. Close this, look at it again, and decide then."));
    }
  }
  let [soon, asked] = [0, 0];
  async function foretell() {
    const mine = ++asked;
    const answer = await send({ dryRun: true });
    if (!answer || mine !== asked) return;
    fill(told, h("p", answer.message), h("p.hint", "The same in a terminal:"), h("pre", answer.command));
    sure.disabled = false;
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
  const params = action === "start" ? Object.entries(spec.params ?? {}) : [];
  if (params.length) body.params = {};
  const box = h("dialog.act", { "aria-label": `${word} ${name}` },
    h("h2", `${word} `, h("b", [name, ...(what.steps ?? [])].join(" / "))),
    params.map(([param, given]) => {
      const otherwise = given && !Array.isArray(given) && typeof given === "object" ? given.default : given;
      const oninput = ({ target }) => set(body.params, param, target.value); // the server knows its type
      return field(param, { placeholder: valueOf(otherwise ?? ""), oninput });
    }),
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
