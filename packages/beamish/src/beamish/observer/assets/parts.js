// Parts that several pages share: links to processes, the search, and lists of facts.

import { el, pidText } from "./dom.js";
import { change, current, link } from "./route.js";

const SEARCH_DELAY_MS = 250;

/** Return the link to a process, which opens its detail over the current page. */
export const pidLink = (pid, text = pidText(pid)) =>
  el("a", { href: link(current().page, { info: pid }), class: "id", "data-pid": pid }, text);

/** Return a link to a process with its class and name; a dead process has neither. */
export function related(found) {
  const what = found.class_name === null ? "exited" : `${found.class_name} ${found.name}`.trim();
  return el("li", {}, found.class_name === null ? el("span", { class: "id" }, pidText(found.pid)) : pidLink(found.pid), " ", what);
}

/** Return a search field whose text is the parameter `search`. */
export function search(label) {
  let timer;
  const field = el("input", {
    id: "search",
    type: "search",
    maxlength: "200",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "Search ( / )",
    "aria-label": label,
    input: () => {
      clearTimeout(timer);
      timer = setTimeout(() => change({ search: field.value.trim() }, true), SEARCH_DELAY_MS);
    },
  });
  field.value = current().params.get("search") ?? "";
  return field;
}

/** Return a choice of the maximum number of rows, the parameter `limit`. */
export function limits(choices, standard) {
  const made = el(
    "select",
    { "aria-label": "Number of rows", change: () => change({ limit: made.value === String(standard) ? null : made.value }, true) },
    choices.map((number) => el("option", { value: number }, `${number} rows`)),
  );
  made.value = current().params.get("limit") ?? String(standard);
  return made;
}

/** Return a list of terms and values; a value that is `null` is left out. */
export const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== undefined).map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]),
  );
