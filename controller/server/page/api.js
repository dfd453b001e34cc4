// Talking with the server: the session, questions, requests, and the one stream of events of a tab.

import { asked, clock } from "./dom.js";

const KEPT = "treadle-session";
const QUIET_SECONDS = 45; // the server sends a sign of life each 15 s
const AGAIN_SECONDS = [0.5, 1, 2, 5, 10];
const PATIENCE = 3; // failures, until it is said that nobody answers
const AGAIN_MAX = 500; // items of a list that are asked for again at once
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// An error with a code of HTTP; 0: there was no answer.
export const problem = (code, message) => Object.assign(new Error(message), { code });

export const session = {
  get kept() { return JSON.parse(localStorage.getItem(KEPT) ?? "{}"); },
  get token() { return this.kept.token ?? ""; },
  get mayOperate() { return this.kept.role !== "view"; },
  keep: (kept) => localStorage.setItem(KEPT, JSON.stringify(kept)),
  forget: () => localStorage.removeItem(KEPT),
  // Trades the code of a link for a session.
  async open(code) { this.keep(await post("session", { code })); },
  async close() {
    await ask("DELETE", "session").catch(() => {});
    this.forget();
  },
};

// ---------------------------------------- questions and requests

async function ask(method, path, body, signal) {
  const headers = { Authorization: `Bearer ${session.token}`, ...(body && { "Content-Type": "application/json" }) };
  const answer = await fetch(`/api/v1/${path}`, { method, headers, signal, body: body && JSON.stringify(body) })
    .catch((error) => {
      if (error.name === "AbortError") throw error;
      throw problem(0, `No answer from ${location.host}.`);
    });
  if (answer.ok) return answer;
  // If it is no answer of ours, a proxy has answered for a server that is gone.
  const { code = 0, message } = await answer.json().catch(() => ({}));
  throw problem(code, message ?? `No answer from ${location.host} (${answer.status}).`);
}

// The path of a question, every part encoded.
export const url = (...parts) => parts.map(encodeURIComponent).join("/");

// What is told, with the `id` of the last record that it knows; or the answer itself if it is not JSON.
export async function get(path, query, signal) {
  const answer = await ask("GET", `${path}${asked(query)}`, null, signal);
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) return answer;
  const told = await answer.json();
  if ((told.time && !query?.at) || clock.ahead === null) clock.set(told.time ?? answer.headers.get("Date"));
  told.id = answer.headers.get("Treadle-Event-Id"); // which the stream has, also of an answer about the past
  return told;
}

// A list that comes part by part. `told` is the last answer with all items so far: `more` adds to them,
// and says whether there were any, `again` asks for them once more. `query()` is what is asked besides.
export function parts(path, size, query = () => ({})) {
  let [abort, busy] = [null, false];
  const list = { told: { items: [] }, again, more };
  async function again() {
    abort?.abort();
    abort = new AbortController();
    const limit = Math.max(size, Math.min(AGAIN_MAX, list.told.items.length));
    const fresh = await get(path, { ...query(), limit }, abort.signal);
    const known = new Set(fresh.items.map(({ name }) => name));
    const { items, continue: after } = list.told;
    const rest = fresh.continue ? items.slice(fresh.items.length).filter(({ name }) => !known.has(name)) : [];
    list.told = { ...fresh, items: [...fresh.items, ...rest], continue: rest.length ? after : fresh.continue };
  }
  async function more() {
    const before = list.told;
    if (busy || !before.continue) return;
    busy = true;
    const next = await get(path, { ...query(), limit: size, continue: before.continue })
      .finally(() => (busy = false));
    if (list.told === before) list.told = { ...next, items: [...before.items, ...next.items] };
    return true;
  }
  return list;
}

export const post = async (path, body) => (await ask("POST", path, body)).json();

// ---------------------------------------- the stream

// Follows what happens, behind the record `since` of `query`. `on(kind, data)` is told each event, and
// `state(word)` whether it is connected: "no answer" after some tries. It is closed while the tab is
// hidden, and goes on where it was. Returns a function that ends it.
export function follow(query, on, state) {
  let [last, failures, timer] = [query.since, 0, 0];
  let abort = null; // of the present connection

  async function connect() {
    if (abort || document.hidden) return;
    clearTimeout(timer);
    const mine = (abort = new AbortController());
    let code = 0;
    try {
      const { body } = await get("events", { ...query, since: last }, mine.signal);
      for await (const event of events(body.getReader(), mine)) {
        if (mine.signal.aborted) return;
        if (event.kind === "hello") {
          failures = 0;
          clock.set(event.data.time);
          state("live");
        }
        last = event.id ?? event.data.id ?? last;
        on(event.kind, event.data);
      }
    } catch (error) {
      if (mine !== abort) return;
      code = error.code;
      if (code) on("problem", error);
    }
    if (mine !== abort) return;
    abort = null;
    if (code === 401 || code === 404) return state(code === 404 ? "not live" : "logged out");
    state(!code && failures >= PATIENCE ? "no answer" : "reconnecting");
    timer = setTimeout(connect, 1000 * AGAIN_SECONDS[Math.min(failures++, AGAIN_SECONDS.length - 1)]);
  }
  function turn() {
    if (!document.hidden) return connect();
    end();
    state("paused");
  }
  function end() {
    clearTimeout(timer);
    const mine = abort;
    abort = null;
    mine?.abort();
  }
  const over = new AbortController();
  document.addEventListener("visibilitychange", turn, over);
  addEventListener("online", connect, over);
  connect();
  return () => (over.abort(), end());
}

// Server-sent events, one after the other: {kind, id, data}. A silent connection is aborted.
async function* events(reader, abort) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const quiet = setTimeout(() => abort.abort(), QUIET_SECONDS * 1000);
    const { done, value } = await reader.read().finally(() => clearTimeout(quiet));
    if (done) return;
    const blocks = (text + decoder.decode(value, { stream: true })).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => /^(\w*):? ?(.*)$/s.exec(line).slice(1)));
      if (fields.data) yield { kind: fields.event, id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}

// Calls `work` soon, but no more often than it can bear: the longer it takes, the longer the rest.
export function gently(work, seconds = 0.2) {
  let [wanted, busy] = [false, false];
  return async function soon() {
    wanted = true;
    if (busy) return;
    for (busy = true; wanted; ) {
      await pause(20);
      wanted = false;
      const begun = performance.now();
      await work();
      await pause(Math.max(seconds * 1000, 8 * (performance.now() - begun)));
    }
    busy = false;
  };
}
