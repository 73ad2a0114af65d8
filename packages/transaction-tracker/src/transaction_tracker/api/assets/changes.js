// The latest changes, from the event stream.

import { ago, badge, byId, el, fill } from "./dom.js";

const SHOWN = 20;

let latest = [];
let drawing = false;

/** Add a change at the top; changes of one frame are drawn together. */
export function add(event) {
  latest = [event, ...latest.slice(0, SHOWN - 1)];
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawing = false;
  byId("unchanged").hidden = latest.length > 0;
  fill(byId("changes"), ...latest.map(line));
}

const line = (event) =>
  el("li", {},
    el("span", { class: "line" }, event.previous === event.state ? null : badge(event.previous),
      event.previous === event.state ? null : el("span", { class: "quiet" }, "→"), badge(event.state),
      el("span", { class: "quiet end" }, ago(event.recorded_at))),
    el("a", { class: "id foreign", href: `#${encodeURIComponent(event.transaction)}` }, event.transaction));
