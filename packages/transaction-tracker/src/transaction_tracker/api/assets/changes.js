// The latest changes, from the event stream.

import { ago, el, fill } from "./dom.js";
import { current, link } from "./route.js";
import { stateBadge } from "./states.js";

const SHOWN = 5;

let latest = [];
let drawing = false;
let shown = null;

/** Return the list of the latest changes. */
export function list() {
  shown = el("ol", { id: "changes", class: "listed" });
  const element = el("section", { "aria-labelledby": "changes-title" },
    el("h2", { id: "changes-title" }, "Latest changes"),
    el("p", { id: "unchanged", class: "quiet", hidden: latest.length ? "" : null }, "No changes since this page was opened."), shown);
  draw();
  return element;
}

/** Add a change at the top; changes of one frame are drawn together. */
export function add(event) {
  latest = [event, ...latest.slice(0, SHOWN - 1)];
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  if (shown === null) return;
  if (latest.length && shown.previousElementSibling) shown.previousElementSibling.hidden = true;
  fill(shown, ...latest.map(line));
}

const line = (event) =>
  el("li", {},
    el("span", { class: "line" }, event.previous === event.state ? null : stateBadge(event.previous),
      event.previous === event.state ? null : el("span", { class: "quiet" }, "→"), stateBadge(event.state),
      el("span", { class: "quiet end" }, ago(event.recorded_at))),
    el("a", { class: "id foreign", href: link(current().page, { info: event.transaction }) }, event.transaction));
