// How processes are named, and links to them.

import { badge, count, el } from "./dom.js";
import { current, link } from "./route.js";

// The tone of each status.
const TONES = {
  waiting: "quiet",
  running: "good",
  starting: "wait",
  restarting: "warn",
  suspended: "warn",
  exiting: "warn",
  stopped: "quiet",
  exited: "bad",
};

export const pidText = (pid) => `#PID<0.${pid}.0>`;

/** Return the badge of a status. */
export const statusBadge = (status) => badge(status, TONES[status]);

/** Return the restarts used of those allowed as a badge, such as `2 of 3 in 5 s`. */
export function restarts(found) {
  if (found === null) return "–";
  const tone = found.used === 0 ? "quiet" : found.used >= found.allowed ? "bad" : "warn";
  return badge(`${count(found.used)} of ${count(found.allowed)} in ${found.seconds}\u00a0s`, tone);
}

/** Return the link to a process, which opens its detail over the current page. */
export const pidLink = (pid, text = pidText(pid)) =>
  el("a", { href: link(current().page, { info: pid }), class: "id", "data-pid": pid }, text);

/** Return a link to a process with its class and name; a dead process has neither. */
export function related(found) {
  const what = found.class_name === null ? "exited" : `${found.class_name} ${found.name}`.trim();
  return el("li", {}, found.class_name === null ? el("span", { class: "id" }, pidText(found.pid)) : pidLink(found.pid), " ", what);
}
