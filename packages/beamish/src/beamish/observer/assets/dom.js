// Elements, and formats of numbers, times and pids. No function accepts HTML: all data of the
// program becomes text.

const NUMBER = new Intl.NumberFormat("en");
const RATE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
const SVG = "http://www.w3.org/2000/svg";

// Control characters and characters that change the text direction are shown as U+FFFD.
const UNSEEN = /(?!\n)[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

// The tone of each status. The name of the status is always shown next to the colour.
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

export const byId = (id) => document.getElementById(id);
export const shown = (text) => String(text).replace(UNSEEN, "\ufffd");
export const count = (number) => (number === null || number === undefined ? "–" : NUMBER.format(number));
export const rate = (number) => (number === null ? "–" : RATE.format(number));
export const pidText = (pid) => `#PID<0.${pid}.0>`;

/** Return a new element; strings among the children become text. */
export function el(tag, attributes = {}, ...children) {
  return built(document.createElement(tag), attributes, children);
}

/** Return a new SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return built(document.createElementNS(SVG, tag), attributes, children);
}

function built(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  fill(made, ...children);
  return made;
}

/** Replace the children of an element; `null` is skipped. */
export function fill(parent, ...children) {
  const kept = children.flat(2).filter((child) => child !== null && child !== undefined);
  parent.replaceChildren(
    ...kept.map((child) => (child instanceof Node ? child : document.createTextNode(shown(child)))),
  );
}

/** Set a text only if it differs, to keep the selection and not to trigger screen readers. */
export function setText(element, text) {
  const wanted = shown(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Return a function that renders `facts` with `make`, only if they differ from the last ones. */
export function renderer(parent, make) {
  let last;
  return (facts) => {
    const now = JSON.stringify(facts);
    if (now !== last) fill(parent, make(facts));
    last = now;
  };
}

/** Return a duration in its two largest units, `2 h 5 min`. */
export function span(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const many = Math.floor(left / size);
    left -= many * size;
    if (many) parts.push(`${many}\u00a0${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0\u00a0s";
}

/** Return a short duration in microseconds, milliseconds or seconds. */
export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)}\u00a0µs`;
  return seconds < 1 ? `${RATE.format(seconds * 1_000)}\u00a0ms` : `${seconds.toFixed(2)}\u00a0s`;
}

/** Return a size in bytes, kB or MB. */
export function bytes(number) {
  if (number === null) return "–";
  if (number < 1e4) return `${count(number)}\u00a0B`;
  return number < 1e7 ? `${Math.round(number / 1e3)}\u00a0kB` : `${count(Math.round(number / 1e6))}\u00a0MB`;
}

/** Return an element with a time, given in seconds since 1970. */
export function moment(seconds) {
  const date = new Date(seconds * 1_000);
  return el("time", { datetime: date.toISOString() }, CLOCK.format(date));
}

/** Return the badge of a status. */
export const badge = (status) =>
  el("span", { class: "badge", "data-tone": TONES[status] ?? "quiet" }, status);

/** Return the restarts used of those allowed as a badge, such as `2 of 3 in 5 s`. */
export function restarts(found) {
  if (found === null) return "–";
  const tone = found.used === 0 ? "quiet" : found.used >= found.allowed ? "bad" : "warn";
  const text = `${count(found.used)} of ${count(found.allowed)} in ${found.seconds}\u00a0s`;
  return el("span", { class: "badge", "data-tone": tone }, text);
}
