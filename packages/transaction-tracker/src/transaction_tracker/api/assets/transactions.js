// The table of transactions: filters, pages, and rows that change in place.

import { count, el, ago, fill, setText, words } from "./dom.js";
import { choice, search } from "./parts.js";
import { json } from "./requests.js";
import { change, current, link, list } from "./route.js";
import * as sources from "./sources.js";
import { ENDED, FLAGS, OPEN, brief, depth, marks, stateBadge } from "./states.js";
import { table } from "./table.js";

const SIZE = 50;
const HOUR = 3_600;
const TIMES = [["", "Any time"], [String(HOUR), "Last hour"], [String(24 * HOUR), "Last day"], [String(7 * 24 * HOUR), "Last week"]];

export const title = "Transactions";
export const live = true;

const cursors = new Map(); // of the pages that were seen, by number

/** Build the page in `parent`; return what loads and shows its data. */
export function build(parent) {
  const chips = new Map();
  const rows = table({
    caption: "Transactions, open ones first, the newest first",
    key: (one) => one.id,
    version: (one) => one.version,
    linked: true,
    empty: "No transactions yet.",
    columns: [
      { title: "State", class: "states", cell: (one) => el("span", {}, marks(one)) },
      { title: "Transaction", class: "main identity", cell: (one) => el("a", { class: "id", href: link("transactions", { info: one.id }) }, one.id) },
      ...sources.column(),
      { title: "Confirmations", number: true, cell: depth },
      { title: "Block", number: true, wide: true, cell: (one) => (one.block ? count(one.block.number) : "–") },
      { title: "Metadata", wide: true, cell: (one) => brief(one.metadata) },
      { title: "Registered", number: true, wide: true, cell: (one) => ago(one.created_at) },
      { title: "Changed", number: true, wide: true, cell: (one) => ago(one.updated_at) },
    ],
  });
  rows.element.querySelector("tbody").id = "rows";
  const place = el("span", { id: "place", class: "quiet", role: "status" });
  const previous = el("button", { id: "previous", type: "button", disabled: "", click: () => turn(-1) }, "Previous");
  const next = el("button", { id: "next", type: "button", disabled: "", click: () => turn(1) }, "Next");
  const states = el("div", { id: "states", class: "chips", role: "group", "aria-label": "Filter by state" },
    [...Object.keys(OPEN), ...Object.keys(ENDED)].map((state) => chip(state, chips)));
  fill(parent,
    el("div", { class: "heading" }, el("h2", {}, "Transactions"),
      el("div", { class: "line" }, search("Search by the start of the id, or a part of the metadata"),
        choice("attention", "Attention", [["", "All"], ["true", "Needs attention"]]),
        choice("flag", "Flag", [["", "Any flag"], ...FLAGS.map((flag) => [flag, words(flag)])]),
        choice("within", "Time of registration", TIMES))),
    states, rows.element,
    el("nav", { class: "line pager", "aria-label": "Pages of the table" }, previous, next, place));

  return {
    load: (signal) => json(`v1/transactions?${query()}`, signal),
    show: ({ transactions, next: following }) => {
      const number = pageNumber();
      if (following) cursors.set(number + 1, following);
      else cursors.delete(number + 1);
      previous.disabled = number === 1;
      next.disabled = !following;
      setText(place, `Page ${count(number)}`);
      for (const [state, { button }] of chips) button.setAttribute("aria-pressed", String(list("state").includes(state)));
      rows.show(transactions, isFiltered() ? "No transaction matches." : "No transactions yet.");
    },
    health: ({ gauges }) => {
      for (const [state, { button, number }] of chips) {
        const many = gauges.states[state] ?? 0;
        setText(number, count(many));
        button.toggleAttribute("data-none", many === 0);
      }
    },
  };
}

const pageNumber = () => Math.max(1, Number.parseInt(current().params.get("page") ?? "1", 10) || 1);
const isFiltered = () => sources.chosen() || ["state", "flag", "search", "within", "attention"].some((name) => current().params.get(name));

function query() {
  const { params } = current();
  const wanted = new URLSearchParams({ order: "activity", limit: SIZE });
  if (sources.chosen()) wanted.set("source", sources.chosen());
  for (const state of list("state")) wanted.append("state", state);
  for (const flag of list("flag")) wanted.append("flag", flag);
  for (const name of ["search", "attention", "cursor"]) if (params.get(name)) wanted.set(name, params.get(name));
  const within = Number(params.get("within"));
  // To the minute, so that the same page is requested again with the same address.
  if (within > 0) wanted.set("since", new Date(Math.floor(Date.now() / 60_000 - within / 60) * 60_000).toISOString());
  return wanted;
}

function turn(step) {
  const number = pageNumber() + step;
  // After a reload, only the first page and the shown one are known.
  const known = number === 1 || cursors.has(number);
  change({ page: known && number > 1 ? number : null, cursor: known ? (cursors.get(number) ?? null) : null });
}

function chip(state, chips) {
  const number = el("span", { class: "count" });
  const button = el("button", { type: "button", class: "chip", "aria-pressed": "false", click: () => choose(state) }, stateBadge(state), " ", number);
  chips.set(state, { button, number });
  return button;
}

function choose(state) {
  const chosen = new Set(list("state"));
  if (!chosen.delete(state)) chosen.add(state);
  change({ state: [...chosen].join(","), cursor: null, page: null }, true);
}
