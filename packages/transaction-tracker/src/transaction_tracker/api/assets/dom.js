// Elements, and how numbers, times and states are written. Nothing here takes HTML: whatever the
// API says ends as text.

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

// What would turn the direction of the text after it, or be invisible, is shown as a mark.
const UNSEEN = /(?!\n)[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

// Each state with its tone; the word is always beside the colour. Open ones first.
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

/** Make an element; strings among the children become text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  fill(made, ...children);
  return made;
}

/** Put these children in the place of what an element had; `null` is left out. */
export function fill(parent, ...children) {
  const kept = children.flat().filter((child) => child !== null && child !== undefined);
  parent.replaceChildren(
    ...kept.map((child) => (child instanceof Node ? child : document.createTextNode(shown(child)))),
  );
}

/** Set a text, but only if it is another one: focus, selection and screen readers stay calm. */
export function setText(element, text) {
  const wanted = shown(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Show what `facts` say by `make`, but only if they are others than last time. */
export function renderer(parent, make) {
  let last;
  return (facts) => {
    const now = JSON.stringify(facts);
    if (now !== last) fill(parent, make(facts));
    last = now;
  };
}

/** Write seconds in the two largest units that say something, `2 h 5 min`; no unit stands alone. */
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

/** Write a short time: milliseconds below a second. */
export const latency = (seconds) =>
  seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${seconds.toFixed(1)} s`;

/** Show how long ago something was; `tick` keeps it true. */
export function ago(iso) {
  const made = el("time", { datetime: iso, title: CLOCK.format(new Date(iso)) });
  age(made);
  return made;
}

/** Show a moment in this browser's time zone. */
export const moment = (iso) => el("time", { datetime: iso, class: "moment" }, CLOCK.format(new Date(iso)));

/** Write all ages anew. */
export function tick() {
  document.querySelectorAll("time:not(.moment)").forEach(age);
}

function age(element) {
  const seconds = (Date.now() - Date.parse(element.dateTime)) / 1_000;
  setText(element, seconds < 5 ? "just now" : `${span(seconds).split(" ")[0]} ago`);
}

/** Show a state: a colour and a word. */
export const badge = (state) =>
  el("span", { class: "badge", "data-tone": toneOf(state) }, words(state));

/** Show flags as words. */
export const flagList = (flags) =>
  flags.map((flag) =>
    el("span", { class: "flag", "data-tone": flag === "finality_violation" ? "bad" : "warn" }, words(flag)),
  );
