// Elements, and formats of numbers, times and states. No function accepts HTML: all data of the API
// becomes text.

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

// Control characters and characters that change the text direction are shown as U+FFFD.
const UNSEEN = /(?!\n)[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

// The tone of each state. The name of the state is always shown next to the colour.
export const OPEN = {
  registered: "quiet",
  pending: "wait",
  missing: "warn",
  mined: "wait",
  mined_reverted: "bad",
  superseded: "warn",
};
export const ENDED = {
  confirmed: "good",
  failed: "bad",
  replaced: "warn",
  dropped: "warn",
  expired: "quiet",
  invalid: "bad",
  untracked: "quiet",
  reversed: "bad",
};

export const byId = (id) => document.getElementById(id);
export const shown = (text) => String(text).replace(UNSEEN, "\ufffd");
export const count = (number) => NUMBER.format(number);
export const words = (name) => name.replaceAll("_", " ");
export const toneOf = (state) => OPEN[state] ?? ENDED[state] ?? "quiet";

/** Return a new element; strings among the children become text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  fill(made, ...children);
  return made;
}

/** Replace the children of an element; `null` is skipped. */
export function fill(parent, ...children) {
  const kept = children.flat().filter((child) => child !== null && child !== undefined);
  parent.replaceChildren(
    ...kept.map((child) => (child instanceof Node ? child : document.createTextNode(shown(child)))),
  );
}

/** Set a text only if it differs, to keep focus and selection and not to trigger screen readers. */
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

/** Return a duration in its two largest units, `2 h 5 min`, with no line break inside a part. */
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

/** Return a short duration, in milliseconds below a second. */
export const latency = (seconds) =>
  seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${seconds.toFixed(1)} s`;

/** Return an element with the age of a time; `tick` updates it. */
export function ago(iso) {
  const made = el("time", { datetime: iso, title: CLOCK.format(new Date(iso)) });
  age(made);
  return made;
}

/** Return an element with a time in the browser's time zone. */
export const moment = (iso) => el("time", { datetime: iso, class: "moment" }, CLOCK.format(new Date(iso)));

/** Update all ages. */
export function tick() {
  document.querySelectorAll("time:not(.moment)").forEach(age);
}

function age(element) {
  const seconds = (Date.now() - Date.parse(element.dateTime)) / 1_000;
  setText(element, seconds < 5 ? "just now" : `${span(seconds).split(" ")[0]} ago`);
}

/** Return the badge of a state. */
export const badge = (state) =>
  el("span", { class: "badge", "data-tone": toneOf(state) }, words(state));

/** Return the elements of flags. */
export const flagList = (flags) =>
  flags.map((flag) =>
    el("span", { class: "flag", "data-tone": flag === "finality_violation" ? "bad" : "warn" }, words(flag)),
  );
