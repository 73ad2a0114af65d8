// The supervision trees, as a list or a drawing. Supervisors open and close; the program sends only
// the open ones, and for a search all matches with the way to each.

import { badge, count, el, fill, many, renderer, setText, svg } from "./dom.js";
import { limits, search } from "./parts.js";
import { pidLink, pidText, restarts, statusBadge } from "./pids.js";
import { change, current, link } from "./route.js";

const MAX_DRAWN = 200;
const ROW = 26;
const COLUMN = 220;
const NODE = 8;
const MAX_CHARACTERS = 26;
// A restart is over before a person sees it: it is marked for this long.
const REPLACED_MS = 10_000;

export const title = "Tree";
export const view = "tree";

export function query() {
  const { params } = current();
  const search = params.get("search");
  return { open: search ? null : params.get("open"), search, limit: params.get("limit") ?? "30" };
}

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  let last = null;
  let standard = null;
  const total = el("p", { class: "quiet", role: "status" });
  const body = el("div");
  const asList = mode("List", "list");
  const asDrawing = mode("Drawing", "drawing");
  fill(
    parent,
    el("div", { class: "heading" }, el("h2", {}, "Supervision tree"),
      el("div", { class: "line" }, search("Search the whole tree by id, class or pid"), el("div", { role: "group", "aria-label": "View", class: "line" }, asList, asDrawing), limits([30, 100, 500, 1000], 30))),
    total,
    body,
    el("p", { class: "quiet legend" },
      svg("svg", { width: 16, height: 12, "aria-hidden": "true", class: "tree" }, svg("rect", { x: 1, y: 1, width: 13, height: 10, rx: 2, class: "supervisor" })), " supervisor ",
      svg("svg", { width: 14, height: 12, "aria-hidden": "true", class: "tree" }, svg("circle", { cx: 6, cy: 6, r: 5, class: "worker" })), " worker ",
      svg("svg", { width: 14, height: 12, "aria-hidden": "true", class: "tree" }, svg("path", { d: "M6 0l6 6l-6 6l-6-6z", class: "restarting" })), " restarting ",
      svg("svg", { width: 14, height: 12, "aria-hidden": "true", class: "tree" }, svg("path", { d: "M6 0l6 6l-6 6l-6-6z", class: "stopped" })), " stopped ",
      svg("svg", { width: 22, height: 12, "aria-hidden": "true", class: "tree" }, svg("path", { d: "M0 6h22", class: "edge dashed" })), " linked, not supervised"),
  );
  const replaced = replacements();
  const show = renderer(body, ([forest, kind, found]) => (kind === "drawing" ? drawing(forest, found) : list(forest, found)));


  function draw() {
    // A search keeps the view: it would change with each letter that is entered.
    if (standard === null || last.matching === null) standard = last.nodes > MAX_DRAWN ? "list" : "drawing";
    const kind = current().params.get("as") ?? standard;
    asList.setAttribute("aria-pressed", String(kind === "list"));
    asDrawing.setAttribute("aria-pressed", String(kind === "drawing"));
    const kept = keepFocus(body);
    show([last.roots, kind, last.matching !== null]);
    kept();
  }

  return (found) => {
    last = found;
    replaced(found.roots);
    setText(total, found.matching === null
      ? `${count(found.nodes)} of ${count(found.processes)} processes are shown`
      : `${found.matching === 1 ? "1 process matches" : `${count(found.matching)} processes match`} the search`);
    draw();
  };
}

function mode(text, kind) {
  return el("button", { type: "button", "aria-pressed": "false", click: () => change({ as: kind }, true) }, text);
}

/** Return a function that marks the nodes whose process has been replaced in the last seconds. */
function replacements() {
  let known = new Map();
  return (roots) => {
    const [now, seen] = [Date.now(), new Map()];
    const walk = (node, above) => {
      const place = `${above} / ${node.id}`;
      const before = known.get(place);
      const at = before && node.pid !== null && before.pid !== null && before.pid !== node.pid ? now : (before?.at ?? -Infinity);
      // While it restarts it has no pid: the last one is remembered. Of several children with one id
      // it is not known which one was replaced.
      seen.set(place, seen.has(place) ? { pid: null, at: -Infinity } : { pid: node.pid ?? before?.pid ?? null, at });
      node.replaced = now - at < REPLACED_MS;
      node.children.forEach((child) => walk(child, place));
    };
    roots.forEach((root) => walk(root, ""));
    known = seen;
  };
}

/** Return a function that puts the focus back to the same link or button after a new drawing. */
function keepFocus(body) {
  const focused = document.activeElement;
  const mark = body.contains(focused) ? focused.dataset.focus : undefined;
  return () => {
    if (mark !== undefined && !body.contains(document.activeElement)) body.querySelector(`[data-focus="${CSS.escape(mark)}"]`)?.focus();
  };
}

/** Return the pids of the open supervisors, with one added or removed. */
function toggled(forest, pid) {
  const open = new Set();
  const walk = (node) => {
    if (node.open) open.add(node.pid);
    node.children.forEach(walk);
  };
  forest.forEach(walk);
  if (!open.delete(pid)) open.add(pid);
  return [...open].join(",") || "0";
}

const isSupervisor = (node) => node.restarts !== null || node.left_out > 0 || node.open;
const label = (node) => `${node.id}${node.class_name === null ? "" : ` ${node.class_name}`}`;

// -- As a list

// `searched`: only matches and the way to them are there, and no supervisor opens or closes.
function list(forest, searched) {
  return el("ul", { class: "branches" }, forest.map((node) => branch(node, forest, searched)));
}

function branch(node, forest, searched) {
  const more = node.left_out ? el("li", { class: "quiet" }, `+ ${count(node.left_out)} more`) : null;
  return el("li", { class: node.matches ? "match" : null },
    el("div", { class: "line" },
      isSupervisor(node) && !searched ? toggle(node, forest) : el("span", { class: "leaf" }),
      node.pid === null ? el("span", { class: "id" }, "–") : marked(pidLink(node.pid), `p${node.pid}`),
      el("strong", { class: "foreign" }, node.id),
      el("span", { class: "quiet" }, node.class_name ?? ""),
      statusBadge(node.status),
      node.replaced ? badge("restarted", "warn") : null,
      node.restarts === null ? null : el("span", {}, "restarts ", restarts(node.restarts))),
    node.open ? el("ul", {}, node.children.map((child) => branch(child, forest, searched)), more) : null,
    node.linked.length ? el("ul", { class: "linked-processes" }, node.linked.map((child) => branch(child, forest, true))) : null);
}

function marked(element, focus) {
  element.dataset.focus = focus;
  return element;
}

function toggle(node, forest) {
  const text = node.open ? "−" : "+";
  const name = `${node.open ? "Close" : "Open"} ${node.id}`;
  const press = () => change({ open: toggled(forest, node.pid) }, true);
  return marked(el("button", { type: "button", class: "toggle", "aria-expanded": String(node.open), "aria-label": name, click: press }, text), `t${node.pid}`);
}

// -- As a drawing

function drawing(forest, searched) {
  const placed = [];
  const edges = [];
  let row = 0;
  // A supervisor stands in the row of its first child, so that the drawing is read from the top.
  const place = (node, depth) => {
    const below = node.open ? node.children.map((child) => place(child, depth + 1)) : [];
    if (node.left_out && node.open) below.push(put({ more: node.left_out }, depth + 1, row++));
    const linked = node.linked.map((other) => place(other, depth + 1));
    const made = put(node, depth, below.length + linked.length ? [...below, ...linked][0].y : row++);
    for (const child of below) edges.push([made, child, "edge"]);
    for (const other of linked) edges.push([made, other, "edge dashed"]);
    return made;
  };
  const put = (node, depth, y) => {
    const made = { node, depth, y };
    placed.push(made);
    return made;
  };
  forest.forEach((root) => place(root, 0));
  const width = (Math.max(0, ...placed.map((one) => one.depth)) + 1) * COLUMN + 20;
  const picture = svg("svg", { width, height: row * ROW + 12, class: "tree", role: "group", "aria-label": "Supervision tree" },
    edges.map(([from, to, kind]) => svg("path", { class: kind, d: elbow(from, to) })),
    placed.map((one) => drawn(one, forest, searched)));
  return el("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "Drawing of the tree, scrollable" }, picture);
}

const xOf = (one) => one.depth * COLUMN + 24;
const yOf = (one) => one.y * ROW + 18;

// Down from the node, then across: no edge crosses the text of another node.
function elbow(from, to) {
  const [x1, y1, x2, y2] = [xOf(from), yOf(from), xOf(to) - NODE, yOf(to)];
  return y1 === y2 ? `M${x1 + NODE} ${y1}H${x2}` : `M${x1} ${y1 + NODE}V${y2 - 6}q0 6 6 6H${x2}`;
}

function drawn(one, forest, searched) {
  const [x, y, node] = [xOf(one), yOf(one), one.node];
  if (node.more !== undefined) return svg("text", { x: x - 4, y: y + 4, class: "quiet" }, `+ ${count(node.more)} more`);
  const text = svg("text", { x: x + 14, y: y + 4, class: node.matches ? "match" : null }, short(node.id));
  const hint = svg("title", {}, `${label(node)}, ${node.status}`);
  const shape = shapeOf(node, x, y);
  const extra = remark(node, x, y);
  if (node.pid === null) return svg("g", {}, hint, shape, text);
  const name = `${label(node)}, ${node.status}${node.replaced ? ", restarted" : ""}${node.restarts === null ? "" : `, ${node.restarts.used} of ${node.restarts.allowed} restarts used`}`;
  const made = svg("a", { href: link(current().page, { info: node.pid }), "aria-label": name, "data-pid": node.pid }, hint, shape, text, extra);
  if (searched || !isSupervisor(node)) return marked(made, `p${node.pid}`);
  const press = () => change({ open: toggled(forest, node.pid) }, true);
  const keys = (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), press());
  const sign = svg("g", { role: "button", tabindex: "0", class: "fold", "aria-label": `${node.open ? "Close" : "Open"} ${node.id}`, "aria-expanded": String(node.open), click: press, keydown: keys },
    svg("circle", { cx: x - 13, cy: y, r: 5 }), svg("path", { d: node.open ? `M${x - 16} ${y}h6` : `M${x - 16} ${y}h6M${x - 13} ${y - 3}v6` }));
  return svg("g", {}, marked(made, `p${node.pid}`), marked(sign, `t${node.pid}`));
}

/** Return the small text below a node: a fresh restart, the restarts used, or the children of a closed one. */
function remark(node, x, y) {
  const parts = [
    node.replaced ? "restarted" : null,
    node.restarts?.used ? `${count(node.restarts.used)} of ${many(node.restarts.allowed, "restart")} used` : null,
    node.left_out && !node.open ? (node.left_out === 1 ? "1 child" : `${count(node.left_out)} children`) : null,
  ].filter(Boolean);
  const tone = node.replaced || node.restarts?.used ? "warning" : "quiet";
  return parts.length ? svg("text", { x: x + 14, y: y + 15, class: `${tone} small` }, parts.join(", ")) : null;
}

function shapeOf(node, x, y) {
  if (node.status === "restarting" || node.status === "stopped") return svg("path", { class: node.status, d: `M${x} ${y - NODE}l${NODE} ${NODE}l-${NODE} ${NODE}l-${NODE}-${NODE}z` });
  if (isSupervisor(node)) return svg("rect", { x: x - NODE, y: y - 6, width: 2 * NODE, height: 12, rx: 2, class: node.restarts?.used ? "supervisor troubled" : "supervisor" });
  return svg("circle", { cx: x, cy: y, r: 6, class: node.replaced ? "worker troubled" : "worker" });
}

/** Return an id in few characters; of a name in a registry, the key; of a dotted name, its end. */
function short(id) {
  const text = id.split(" / ").at(-1);
  if (text.length <= MAX_CHARACTERS) return text;
  const end = text.slice(-MAX_CHARACTERS);
  const dot = end.indexOf(".");
  return dot >= 0 && !text.includes(" ") ? `…${end.slice(dot)}` : `${text.slice(0, 12)}…${text.slice(-13)}`;
}
