// The frame of the page: which view is shown, the login, the stream of the tab, banners and keys.
//
// A view is a function (place, route, page) that gives {title, follow, on, refresh, tick, keys, up, close}:
// what it wants of the stream, what it does with events, and where Escape leads. It reads its state
// from the URL.

import { follow, get, problem, session } from "./api.js";
import { banner, clock, fill, h, link, tick, trouble, when } from "./dom.js";
import { list } from "./list.js";
import { log } from "./log.js";
import { pools } from "./pools.js";
import { preview } from "./preview.js";
import { workflow } from "./workflow.js";

const byId = (id) => document.getElementById(id);
const main = byId("main");
const banners = new Map(); // by what they are about: [kind, content]
let [view, unfollow] = [null, () => {}];
let shown = 0; // counts the views, so that a late one does not replace its successor
let streamState = "connecting";
let heard = null; // when the server was heard last, once it is not
let again = 0; // the timer that asks again after a failure
let controller = {};

// ---------------------------------------- which view

const page = {
  // Keeps what is chosen in the URL, without a new entry in the history.
  remember: (parts, query) => history.replaceState(null, "", link(parts, query)),
  again: () => show(),
  failed,
  // What is shown is so now: nothing is wrong any more.
  answered: () => (tell("problem"), heard !== null && streamState === "live" && streamIs("live")),
  // Says that this moment is shown; null: the present.
  asOf(moment) {
    clock.past = moment;
    drawState();
  },
  // Says for some seconds what a button has done.
  say(text) {
    const toast = h("p.toast", text);
    byId("toasts").append(toast);
    setTimeout(() => toast.remove(), 6000);
  },
};

async function show() {
  const { hash } = location;
  if (/^#[^/]/.test(hash)) return trade(hash.slice(1));
  leave();
  if (!session.token) return login();
  const mine = ++shown;
  const [path, query] = hash.slice(2).split("?");
  const parts = path.split("/").map(decodeURIComponent);
  const make = { "": list, w: parts[2] === "log" ? log : workflow, pools, preview }[parts[0]];
  drawTop(parts[0]);
  main.replaceChildren(h("p.hint", "Loading …"));
  try {
    if (!make) throw problem(404, "There is no such page.");
    const made = await make(main, { parts, query: Object.fromEntries(new URLSearchParams(query)) }, page);
    if (mine !== shown) return made.close?.();
    view = made;
    document.title = `${view.title} · treadle`;
    tell("problem");
    unfollow = follow(view.follow, on, streamIs);
    if (!main.contains(document.activeElement)) main.focus({ preventScroll: true });
  } catch (error) {
    if (mine === shown) failed(error);
  }
}

function leave() {
  clearTimeout(again);
  unfollow();
  unfollow = () => {};
  view?.close?.();
  view = clock.past = null;
}

// What has failed is told, and it goes on. What may go well next time is asked again.
function failed(error) {
  if (error.name === "AbortError") return;
  if (error.code === 401) return login("That session has ended, or the token is not one of this server.");
  if (error.code === undefined) console.error(error);
  const isRefused = error.code >= 400 && error.code < 500;
  if (error.code === 0) noAnswer();
  else if (view || !isRefused) tell("problem", "bad", error.message);
  else main.replaceChildren(h("div.empty", h("h1", "Not found"), h("p", error.message),
    h("p", h("a", { href: "#/" }, "All workflows"))));
  if (!isRefused) again = clearTimeout(again) ?? setTimeout(() => (view ? view.refresh() : show()), 3000);
}

// ---------------------------------------- login

async function trade(code) {
  history.replaceState(null, "", location.pathname); // the code is no place to come back to
  const why = await session.open(code).catch(({ message }) => message);
  if (why && !session.token) return login(why);
  page.remember([""]);
  show();
}

function login(why) {
  leave();
  shown += 1;
  drawTop(null);
  const form = byId("login").content.firstElementChild.cloneNode(true);
  const field = form.querySelector("input");
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text.includes("#")) return trade(text.slice(text.indexOf("#") + 1));
    session.keep({ token: text });
    show();
  };
  main.replaceChildren(form);
  fill(byId("why"), why && trouble(why));
  document.title = "Log in · treadle";
  field.focus();
}

// ---------------------------------------- the stream

function on(kind, data) {
  if (kind === "problem") return data.code === 401 ? failed(data) : tell("stream", "bad", data.message);
  tell("stream");
  if (kind === "controller") aboutController(data);
  else if (kind === "reset" || kind === "stale") view?.refresh();
  else view?.on(kind, data);
}

function streamIs(word) {
  if (word === "live" && streamState !== "connecting" && streamState !== "live") view?.refresh();
  if (word === "live") get("controller").then(aboutController, failed);
  heard = word === "live" ? null : heard ?? clock.real;
  if (word === "live") tell("server");
  if (word === "no answer") noAnswer();
  streamState = word;
  drawState();
}

// Nothing is known any more, so what is shown stands still.
function noAnswer() {
  clock.stopped = heard ??= clock.real;
  tell("server", "bad", [`No answer from ${location.host} since `, when(heard), ". What is shown is from then. ",
    "Start it again with ", h("code", controller.command ?? "treadle serve")]);
}

// Whether a controller runs, and its conditions, are told above each view.
function aboutController(news) {
  controller = { ...controller, ...news };
  const { role } = news;
  if (role && role !== session.kept.role) session.keep({ ...session.kept, role }), show();
  const away = controller.phase !== "Running";
  clock.stopped = away ? Date.parse(controller.asOf) || clock.real : null;
  const held = (controller.conditions ?? []).filter(({ status }) => status === "True");
  tell("conditions", held.length > 0 && "bad", held.map(({ type, message }) => h("p", `${type}: ${message}`)));
  tell("away", away && "warn", ["No controller is running, so nothing advances. What is shown is as of ",
    when(clock.stopped), ". To start one, type ", h("code", "treadle up")]);
  drawState();
}

function tell(about, kind, text) {
  if (kind) banners.set(about, [kind, text]);
  else banners.delete(about);
  fill(byId("banners"), [...banners].map(([key, [is, content]]) =>
    banner(is, is === "bad" ? "✗" : "!", key, h("span", content))));
}

// ---------------------------------------- the top, and keys

function drawTop(here) {
  document.body.classList.toggle("out", here === null);
  for (const each of byId("nav").children) each.ariaCurrent = each.hash === `#/${here}` ? "page" : null;
  drawState();
}

function drawState() {
  const state = byId("state");
  state.dataset.state = clock.past ? "past" : streamState;
  const [sign, word] = clock.past ? ["◷", ["as of ", when(clock.past)]]
    : [streamState === "live" ? "●" : "◌", streamState];
  fill(state, h("i", { "aria-hidden": "true" }, sign), h("span", word),
    !session.mayOperate && h("span.pair", "view only"));
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches?.("input:not([type=range]), textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const search = event.key === "/" && document.querySelector("input[type=search]");
  if (event.key === "?") byId("keys").showModal();
  else if (search) search.focus();
  else if (!view?.keys?.(event)) {
    if (event.key !== "Escape" || !view?.up) return;
    location.hash = view.up;
  }
  event.preventDefault();
});

byId("ask-keys").onclick = () => byId("keys").showModal();
byId("log-out").onclick = () => session.close().then(() => login("You are logged out."));
addEventListener("hashchange", show);
addEventListener("storage", ({ key }) => key === "treadle-session" && show()); // another tab has logged in or out
setInterval(() => {
  tick();
  view?.tick?.();
}, 1000);
show();
