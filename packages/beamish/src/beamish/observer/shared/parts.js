// Parts that several pages share: the search, choices in the address, and lists of facts.

import { el } from "./dom.js";
import { change, current } from "./route.js";

const SEARCH_DELAY_MS = 250;
// Another search or choice starts at the first page.
const FIRST_PAGE = { cursor: null, page: null };

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
      timer = setTimeout(() => change({ ...FIRST_PAGE, search: field.value.trim() }, true), SEARCH_DELAY_MS);
    },
  });
  field.value = current().params.get("search") ?? "";
  return field;
}

/** Return a choice of the maximum number of rows, the parameter `limit`. */
export const limits = (choices, standard) =>
  choice("limit", "Number of rows", choices.map((number) => [String(number), `${number} rows`]), String(standard));

/**
 * Return a choice of one value, kept as a parameter of the address.
 *
 * @param name Name of the parameter; the standard value is left out of the address.
 * @param label Name for screen readers.
 * @param choices Pairs of a value and its text.
 */
export function choice(name, label, choices, standard = "") {
  const made = el(
    "select",
    { id: `choice-${name}`, "aria-label": label, change: () => change({ ...FIRST_PAGE, [name]: made.value === standard ? null : made.value }, true) },
    choices.map(([value, text]) => el("option", { value }, text)),
  );
  made.value = current().params.get(name) ?? standard;
  return made;
}

/** Return a list of terms and values; a value that is `null` is left out. */
export const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== undefined).map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]),
  );
