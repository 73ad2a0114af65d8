// Elements, and formats of numbers and times. No function accepts HTML: all data becomes text.

const NUMBER = new Intl.NumberFormat("en");
const RATE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
const DISPLAYED = new Set(["title", "aria-label", "placeholder"]);
const SVG = "http://www.w3.org/2000/svg";

// What cannot be seen, and what changes the text direction, is shown as U+FFFD: control characters,
// separators of lines, and all that Unicode displays as nothing, such as zero width spaces, joiners
// and direction marks. Otherwise two different ids would look the same.
const UNSEEN = /(?!\n)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

// Words of the scripts that are written from right to left.
const TURNED = "[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefe\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]+";
const RIGHT_TO_LEFT = new RegExp(`(${TURNED}(?:[ \\u00a0]+${TURNED})*)`, "u");
// Elements in which a browser shows text alone.
const ONLY_TEXT = new Set(["option", "title", "textarea"]);

export const byId = (id) => document.getElementById(id);
export const shown = (text) => String(text).replace(UNSEEN, "\ufffd");
export const count = (number) => (number === null || number === undefined ? "–" : NUMBER.format(number));
export const rate = (number) => (number === null || number === undefined ? "–" : RATE.format(number));
export const words = (name) => name.replaceAll("_", " ");
export const many = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

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
    else if (DISPLAYED.has(name) && value) made.setAttribute(name, shown(value));
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  fill(made, ...children);
  return made;
}

/** Replace the children of an element; `null` is skipped. */
export function fill(parent, ...children) {
  const kept = children.flat(2).filter((child) => child !== null && child !== undefined);
  parent.replaceChildren(...kept.flatMap((child) => (child instanceof Node ? child : text(shown(child), parent))));
}

// A right-to-left word gets an element of its own: it would reorder the numbers next to it, so that
// an amount next to a name from outside would be read wrongly.
function text(content, parent) {
  if (ONLY_TEXT.has(parent.localName)) return [document.createTextNode(content)];
  return content.split(RIGHT_TO_LEFT).map((part, index) => (index % 2 ? isolated(part, parent) : document.createTextNode(part)));
}

function isolated(part, parent) {
  const made = parent.namespaceURI === SVG ? document.createElementNS(SVG, "tspan") : document.createElement("bdi");
  made.classList.add("turned");
  made.textContent = part;
  return made;
}

/** Set a text only if it differs, to keep the selection and not to trigger screen readers. */
export function setText(element, text) {
  const wanted = shown(text);
  if (element.textContent !== wanted) fill(element, wanted);
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

/** Return a share of 1 as percents. */
export const percent = (share) => (share === null || share === undefined ? "–" : `${RATE.format(share * 100)}\u00a0%`);

// Seconds since 1970, or text in the form of RFC 3339.
const date = (when) => new Date(typeof when === "number" ? when * 1_000 : when);

/** Return an element with a time in the browser's time zone. */
export const moment = (when) =>
  el("time", { datetime: date(when).toISOString(), class: "moment" }, CLOCK.format(date(when)));

/** Return an element with the age of a time; `tick` updates it. */
export function ago(when) {
  const made = el("time", { datetime: date(when).toISOString(), title: CLOCK.format(date(when)) });
  age(made);
  return made;
}

/** Update all ages. */
export function tick() {
  document.querySelectorAll("time:not(.moment)").forEach(age);
}

function age(element) {
  const seconds = (Date.now() - Date.parse(element.dateTime)) / 1_000;
  setText(element, seconds < 5 ? "just now" : `${span(seconds).split(" ")[0]} ago`);
}

/** Return a word with a colour; the word is always shown next to the colour. */
export const badge = (text, tone = "quiet") => el("span", { class: "badge", "data-tone": tone }, text);
