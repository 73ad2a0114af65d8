// The table of transactions: a filter, pages, and rows that change in place.

import { json } from "./api.js";
import { ENDED, OPEN, ago, badge, byId, count, el, fill, flagList, setText, words } from "./dom.js";
import { chosen as chosenSource, onChoice, several, sourceOf } from "./sources.js";
import { Bell, NEVER_MS } from "./waiting.js";

const SIZE = 50;
const REST_MS = 500;
const MAX_METADATA_CHARACTERS = 200;

const changed = new Bell();
const resting = new Bell();
const chosen = new Set();
const rows = new Map();
const chips = new Map();
let cursors = [null];
let next = null;

/** Load the current page, again after each change. */
export async function follow(signal) {
  for (;;) {
    const began = performance.now();
    const wanted = path();
    const page = await json(wanted, signal);
    if (wanted === path()) show(page);
    // Events can come by the thousand: loading takes at most a quarter of the time.
    await resting.wait(Math.max(REST_MS, 3 * (performance.now() - began)), signal);
    await changed.wait(NEVER_MS, signal);
  }
}

/** Note that the shown transactions can have changed. */
export const touch = () => changed.ring();

function path() {
  const query = new URLSearchParams({ limit: SIZE });
  for (const state of chosen) query.append("state", state);
  if (chosenSource()) query.set("source", chosenSource());
  if (cursors.at(-1) !== null) query.set("cursor", cursors.at(-1));
  return `v1/transactions?${query}`;
}

// A page that the user asked for is loaded at once.
function turn(to) {
  cursors = to;
  next = null;
  byId("next").disabled = byId("previous").disabled = true;
  resting.ring();
  changed.ring();
}

byId("next").addEventListener("click", () => next && turn([...cursors, next]));
byId("previous").addEventListener("click", () => turn(cursors.slice(0, -1)));

// -- Filter by state

/** Show the number of transactions in each state. */
export function census(states) {
  for (const [state, { button, number }] of chips) {
    const many = states[state] ?? 0;
    setText(number, count(many));
    button.toggleAttribute("data-none", many === 0);
  }
}

function chip(state) {
  const number = el("span", { class: "count" });
  const button = el("button", { type: "button", class: "chip", "aria-pressed": "false" }, badge(state), " ", number);
  button.addEventListener("click", () => choose(state, button));
  chips.set(state, { button, number });
  return button;
}

function choose(state, button) {
  if (!chosen.delete(state)) chosen.add(state);
  button.setAttribute("aria-pressed", String(chosen.has(state)));
  turn([null]);
}

onChoice(() => turn([null]));
fill(byId("states"), ...[...Object.keys(OPEN), ...Object.keys(ENDED)].map(chip));

// -- Rows

function show({ transactions, next: following }) {
  next = following;
  const kept = new Set(transactions.map((one) => one.id));
  for (const [id, row] of rows) if (!kept.has(id)) drop(id, row);
  transactions.forEach((one, place) => put(one, place));
  byId("previous").disabled = cursors.length === 1;
  byId("next").disabled = next === null;
  setText(byId("place"), `Page ${count(cursors.length)}`);
  setText(byId("nothing"), chosen.size ? `No transaction is ${[...chosen].map(words).join(" or ")}.` : "No transactions yet.");
  byId("nothing").hidden = transactions.length > 0;
}

function drop(id, row) {
  row.remove();
  rows.delete(id);
}

function put(one, place) {
  const body = byId("rows");
  const row = rows.get(one.id) ?? made(one.id);
  if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
  write(row, one);
}

function made(id) {
  const link = el("a", { href: `#${encodeURIComponent(id)}` }, id);
  const cells = ["states", "id foreign", "foreign", "number", "number wide", "foreign wide", "number wide"];
  const row = el("tr", {}, ...cells.map((name) => el("td", { class: name })));
  fill(row.children[1], link);
  rows.set(id, row);
  return row;
}

// Writes only changes, so that focus and selection are kept.
function write(row, one) {
  const facts = JSON.stringify([one.version, depth(one), one.parked]);
  if (row.dataset.facts === facts) return;
  row.classList.toggle("fresh", row.dataset.version !== undefined && row.dataset.version !== String(one.version));
  Object.assign(row.dataset, { facts, version: one.version });
  const [state, , source, confirmations, block, metadata, time] = row.children;
  fill(state, badge(one.state), ...flagList(one.flags), parked(one));
  source.hidden = !several();
  fill(source, several() ? sourceOf(one) : null);
  fill(confirmations, depth(one));
  fill(block, one.block ? count(one.block.number) : "–");
  fill(metadata, brief(one.metadata));
  fill(time, ago(one.updated_at));
}

byId("rows").addEventListener("animationend", ({ target }) => target.classList.remove("fresh"));

const parked = (one) =>
  one.parked && !one.final ? el("span", { class: "flag", "data-tone": "bad" }, "parked") : null;

function brief(metadata) {
  const parts = Object.entries(metadata).map(([key, value]) =>
    `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return parts.join(", ").slice(0, MAX_METADATA_CHARACTERS) || "–";
}

/** Return the confirmations of a transaction, and the required ones. */
export function depth({ block, confirmations, required, final }) {
  if (!block) return "–";
  if (typeof required === "string") return `${count(confirmations)}, until ${required}`;
  return final ? count(required) : `${count(confirmations)} of ${count(required)}`;
}
