// Talking with the server: the session, questions, requests, and the one stream of events of a tab.

import { asked, clock } from "./dom.js";

const KEPT = "treadle-session";
const QUIET_SECONDS = 45; // the server sends a sign of life each 15 s
const AGAIN_SECONDS = [0.5, 1, 2, 5, 10, 20];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Problem extends Error {
  constructor(code, message) {
    super(message);
    this.code = code; // of HTTP; 0: there was no answer
  }
}

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
      throw new Problem(0, "The server does not answer. Is treadle serve running?");
    });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, told.message ?? `the server answers ${answer.status}`);
}

// The path of a question, every part encoded.
export const url = (...parts) => parts.map(encodeURIComponent).join("/");

// What is told, with the `id` of the last record that it knows; or the answer itself if it is not JSON.
export async function get(path, query, signal) {
  const answer = await ask("GET", `${path}${asked(query)}`, null, signal);
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) return answer;
  const told = await answer.json();
  if ((told.time && !query?.at) || clock.ahead === null) clock.set(told.time ?? answer.headers.get("Date"));
  told.id ??= answer.headers.get("Treadle-Event-Id");
  return told;
}

export const post = async (path, body) => (await ask("POST", path, body)).json();

// ---------------------------------------- the stream

// Follows what happens, behind the record `since` of `query`. `on(kind, data)` is told each event, and
// `state(word)` whether it is connected. It is closed while the tab is hidden, and goes on where it was.
// Returns a function that ends it.
export function follow(query, on, state) {
  let last = query.since;
  let failures = 0;
  let abort = null; // of the present connection
  let timer = 0;

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
    state("reconnecting");
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
  document.addEventListener("visibilitychange", turn);
  addEventListener("online", connect);
  connect();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    removeEventListener("online", connect);
    end();
  };
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
  let wanted = false;
  let busy = false;
  return async function soon() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      await pause(20);
      wanted = false;
      const begun = performance.now();
      await work();
      await pause(Math.max(seconds * 1000, 8 * (performance.now() - begun)));
    }
    busy = false;
  };
}
