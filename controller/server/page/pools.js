// Pools and locks: who holds their slots, and who waits in which place.

import { get, gently } from "./api.js";
import { fill, h, link, plural, table, took } from "./dom.js";

export async function pools(place, route, page) {
  let told = await get("pools");
  const refresh = () => get("pools").then((fresh) => (page.answered(), (told = fresh), draw()), page.failed);
  const step = ({ workflow, step: name }) =>
    h("a", { href: link(["w", workflow], { step: name }) }, `${workflow} / ${name}`);
  const holder = (one) => [step(one), one.attempt, one.slots, took(one.since)];
  const waiter = (one, index) => [step(one), index + 1, one.slots, took(one.since)];
  const squares = (slots, held) => h("span.slots", { "aria-hidden": "true" },
    Array.from({ length: Math.min(slots, 64) }, (_, at) => h(at < held ? "i.held" : "i")));

  function draw() {
    fill(place, h("h1", "Pools and locks"),
      !told.items.length && h("p.hint", "No step uses a pool or a lock, and no document defines one."),
      told.items.map(({ kind, name, slots, path, held, holders, waiting }) => h("section",
        { "data-key": `${kind} ${name}` }, h("h2", `${kind} ${name} `, h("span.hint", path)),
        h("p", slots === null ? "Nobody defines it, so the steps that use it wait."
          : [squares(slots, held), ` ${held} of ${plural(slots, "slot")} held`]),
        holders.length > 0 && table(["Held by", "Attempt", "Slots", "Since"], holders.map(holder)),
        waiting.length > 0 && table(["Waiting", "Place", "Slots", "Since"], waiting.map(waiter)))));
  }
  draw();
  return { title: "Pools", follow: { since: told.id }, on: gently(refresh, 1), refresh };
}
