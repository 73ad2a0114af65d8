// The last crashes, with their reports and tracebacks.

import { count, el, fill, moment, setText, shown } from "./dom.js";
import { search } from "./parts.js";
import { pidLink } from "./pids.js";
import { current } from "./route.js";

export const title = "Crashes";
export const view = "crashes";
export const query = () => ({ search: current().params.get("search") });

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  const total = el("p", { class: "quiet", role: "status" });
  const list = el("ul", { class: "crashes" });
  fill(
    parent,
    el("div", { class: "heading" }, el("h2", {}, "Crashes"), el("div", { class: "line" }, search("Search by pid, class, name or text"))),
    total,
    list,
  );
  const show = crashList(list);
  return (found) => {
    const kept = found.rows.length === found.total ? "" : `; ${count(found.rows.length)} of them are shown`;
    setText(total, found.total ? `Crashes, failed restarts and ended supervisors: ${count(found.total)}${kept}` : "Nothing has crashed since the observer began to record.");
    show(found.rows);
  };
}

/** Return a function that shows crashes as items of `list`; open items stay open. */
export function crashList(list) {
  const items = new Map();
  return (crashes) => {
    const ids = new Set(crashes.map((crash) => crash.id));
    for (const id of items.keys()) if (!ids.has(id)) items.delete(id);
    const made = crashes.map((crash) => {
      if (!items.has(crash.id)) items.set(crash.id, item(crash));
      return items.get(crash.id);
    });
    if (made.length !== list.children.length || made.some((one, index) => list.children[index] !== one)) list.replaceChildren(...made);
  };
}

function item(crash) {
  const who = [crash.class_name, crash.name, crash.pid].filter(Boolean).join(" ");
  const serial = /<0\.(\d+)\.0>/.exec(crash.pid ?? "")?.[1];
  return el("li", {},
    el("details", {},
      el("summary", {}, el("span", { class: "reason" }, crash.reason), el("span", { class: "quiet" }, moment(crash.at), who ? ` · ${who}` : "")),
      serial ? el("p", {}, pidLink(serial, "The process, if it is alive")) : null,
      el("pre", { tabindex: "0", "aria-label": "Report" }, crash.message),
      crash.traceback ? el("pre", { tabindex: "0", "aria-label": "Traceback" }, shown(crash.traceback)) : null));
}
