// The picture of a DAG. The server places its nodes; here they are drawn, painted by phase, moved
// and zoomed, and walked by the keyboard. The table of the steps says the same as text.

import { GLYPHS, fill, h } from "./dom.js";

const ZOOM_MAX = 1.5;
const FIT_MIN = 0.62; // of a graph of some steps: texts are legible, and the rest can be moved into sight
const FAR = 0.4; // with less zoom texts can't be read, so they are not drawn
const MARGIN = 16;
const LEGEND = { critical: "critical path: how long it takes is decided here", Failed: "after a failure",
  Finished: "after any end" };

export class Graph {
  nodes = new Map();
  view = { x: 0, y: 0, zoom: 1 };
  picture = h("svg:g");
  canvas = h("svg:svg.canvas", { role: "group", "aria-label": "Graph of the steps" }, this.picture);
  legend = h("ul.legend", { "aria-hidden": "true" });

  // `select(name)` is called when a step is chosen.
  constructor(select) {
    this.select = select;
    const button = (sign, label, onclick) => h("button.quiet", { title: label, "aria-label": label, onclick }, sign);
    this.element = h("div.graph", this.canvas, this.legend, h("div.zoom",
      button("+", "Zoom in", () => this.zoomBy(1.25)), button("−", "Zoom out", () => this.zoomBy(0.8)),
      button("⤢", "Fit", () => this.fit(0))));
    this.listen();
    const watch = new ResizeObserver(() => !this.moved && this.fit());
    watch.observe(this.element);
    this.close = () => watch.disconnect();
  }

  show(layout) {
    this.layout = layout;
    this.nodes = new Map(layout.nodes.map((node) =>
      [node.id, { ...node, before: [], after: [], element: this.node(node) }]));
    this.edges = layout.edges.map(({ from, to, points, condition }) => {
      this.nodes.get(from)?.after.push(to);
      this.nodes.get(to)?.before.push(from);
      return { from, to, element: h(`svg:path.edge.c-${condition}`, { d: curve(points, layout.direction) }) };
    });
    const [boxes, steps] = [[], []];
    for (const { kind, element } of this.nodes.values()) (isBox(kind) ? boxes : steps).push(element);
    this.picture.replaceChildren(...boxes, ...this.edges.map(({ element }) => element), ...steps);
    this.decide([]);
    steps[0]?.setAttribute("tabindex", "0");
    if (!this.moved) this.fit();
  }

  // These steps decide how long it takes.
  decide(critical) {
    const decides = new Set(critical.flatMap((name) => [name, name.split(/[[/]/)[0]]));
    for (const { from, to, element } of this.edges) {
      element.classList.toggle("critical", decides.has(from) && decides.has(to));
    }
    fill(this.legend, Object.entries(LEGEND).filter(([kind]) => this.picture.querySelector(`.c-${kind}, .${kind}`))
      .map(([kind, word]) => h("li", h(`i.c-${kind}`), word)));
  }

  node({ id, x, y, width, height, label, kind }) {
    const parent = kind === "parent";
    const middle = isBox(kind) ? 13 : parent ? 18 : height / 2;
    return h(`svg:g.node.k-${kind}`, { transform: `translate(${x} ${y})`, tabindex: "-1", role: "button",
      "data-step": id, onclick: () => this.choose(id), onkeydown: (event) => this.walk(event, id) },
    h("svg:rect.body", { width, height, rx: 6 }),
    !isBox(kind) && h("svg:rect.stripe", { width: 3, height: height - 12, x: 0, y: 6, rx: 1.5 }),
    h("svg:text.glyph", { x: 14, y: middle }), h("svg:text.label", { x: 28, y: middle }, label),
    h("svg:text.note", parent ? { x: 28, y: 38 } : { x: width - 9, y: middle, "text-anchor": "end" }), h("svg:title"));
  }

  // Shows what is known of each step: {phase, note, told} by its name.
  paint(known) {
    for (const [id, node] of this.nodes) {
      const { phase = "Pending", note = "", told = "" } = known.get(id) ?? {};
      const said = `${id}: ${phase}${told && `, ${told}`}`;
      if (node.said === said + note) continue;
      node.said = said + note;
      const { element, kind } = node;
      const [glyph, noted, title] = [".glyph", ".note", "title"].map((part) => element.querySelector(part));
      element.setAttribute("class", `node k-${kind} p-${phase}${element.matches(".chosen") ? " chosen" : ""}`);
      element.setAttribute("aria-label", said);
      glyph.textContent = kind === "bundle" ? "" : GLYPHS[phase];
      noted.textContent = note;
      title.textContent = said;
    }
  }

  choose(id) { if (this.nodes.get(id).kind !== "bundle") this.select(id); }

  // Marks the step whose panel is open.
  mark(id) {
    this.picture.querySelector(".chosen")?.classList.remove("chosen");
    this.nodes.get(id)?.element.classList.add("chosen");
    if (this.nodes.has(id)) this.reach(id);
  }

  // Right and left go along the edges, up and down to the next node of the layer.
  walk(event, id) {
    const { nodes } = this;
    const own = nodes.get(id);
    const away = (other) => Math.abs(nodes.get(other).y + nodes.get(other).height / 2 - own.y - own.height / 2);
    const nearest = (ids) => ids.toSorted((one, other) => away(one) - away(other))[0];
    const beside = (way) => nearest([...nodes.values()].filter(({ parent, layer, y }) =>
      parent === own.parent && layer === own.layer && (y - own.y) * way > 0).map((other) => other.id));
    const to = { ArrowRight: () => nearest(own.after), ArrowLeft: () => nearest(own.before),
      ArrowDown: () => beside(1), ArrowUp: () => beside(-1), Enter: () => this.choose(id) }[event.key];
    if (!to) return;
    const next = to();
    if (next) {
      this.reach(next);
      nodes.get(next).element.focus({ preventScroll: true });
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // Makes this step the one that Tab goes to, and brings it into sight.
  reach(id) {
    this.picture.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    const { element, x, y, width, height } = this.nodes.get(id);
    element.setAttribute("tabindex", "0");
    const { view, element: { clientWidth, clientHeight } } = this;
    const shift = (from, size, room) => Math.min(0, room - MARGIN - from - size) || Math.max(0, MARGIN - from);
    view.x += clientWidth && shift(view.x + x * view.zoom, width * view.zoom, clientWidth);
    view.y += clientHeight && shift(view.y + y * view.zoom, height * view.zoom, clientHeight);
    this.place();
  }

  // ---------------------------------------- moving and zooming

  fit(least = this.nodes.size < 60 ? FIT_MIN : 0) {
    const { layout, element: { clientWidth, clientHeight } } = this;
    if (!layout?.width || !clientWidth) return;
    const { width, height } = layout;
    const [wide, high] = [(clientWidth - 2 * MARGIN) / width, (clientHeight - 2 * MARGIN) / height];
    const zoom = Math.max(least, Math.min(1.15, wide, high));
    const middle = (room, size) => Math.max(MARGIN, (room - size * zoom) / 2);
    this.view = { zoom, x: middle(clientWidth, width), y: middle(clientHeight, height) };
    this.moved = false;
    this.place();
  }

  zoomBy(factor, { x, y } = { x: this.element.clientWidth / 2, y: this.element.clientHeight / 2 }) {
    const { view } = this;
    const zoom = Math.min(ZOOM_MAX, Math.max(0.02, view.zoom * factor));
    const grown = zoom / view.zoom;
    this.view = { zoom, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown };
    this.moved = true;
    this.place();
  }

  moveBy(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.moved = true;
    this.place();
  }

  place() {
    const { x, y, zoom } = this.view;
    this.picture.setAttribute("transform", `translate(${x} ${y}) scale(${zoom})`);
    this.picture.classList.toggle("far", zoom < FAR);
  }

  // The wheel and a drag move it; the wheel with Ctrl, which is also a pinch, zooms.
  listen() {
    const { canvas } = this;
    let held = null;
    canvas.onwheel = (event) => {
      event.preventDefault();
      const { left, top } = canvas.getBoundingClientRect();
      if (!event.ctrlKey) return this.moveBy(-event.deltaX, -event.deltaY);
      this.zoomBy(Math.exp(-event.deltaY / 200), { x: event.clientX - left, y: event.clientY - top });
    };
    canvas.onpointerdown = ({ clientX, clientY }) => (held = { clientX, clientY });
    canvas.onpointermove = ({ clientX, clientY, buttons, pointerId }) => {
      if (!held || !buttons || Math.hypot(clientX - held.clientX, clientY - held.clientY) < 3) return;
      canvas.setPointerCapture(pointerId);
      this.moveBy(clientX - held.clientX, clientY - held.clientY);
      held = { clientX, clientY };
    };
    canvas.onpointerup = () => (held = null);
  }
}

const isBox = (kind) => kind === "box" || kind === "bundle";

// Through all points: straight where two are level, else as a curve in the direction of the layout.
function curve([first, ...rest], direction) {
  const along = direction === "down" ? 1 : 0;
  let last = first;
  const parts = rest.map((point) => {
    const [[x, y], [toX, toY], middle] = [last, point, (last[along] + point[along]) / 2];
    const bend = along ? `C${x} ${middle} ${toX} ${middle} ` : `C${middle} ${y} ${middle} ${toY} `;
    const level = along ? x === toX : y === toY;
    last = point;
    return `${level ? "L" : bend}${point.join(" ")}`;
  });
  return `M${first.join(" ")}${parts.join("")}`;
}
