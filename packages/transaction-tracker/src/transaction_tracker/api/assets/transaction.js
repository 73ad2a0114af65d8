// The drawer of one transaction: why it is in its state, its payment, and its history.

import * as actions from "./actions.js";
import { count, el, moment, span, words } from "./dom.js";
import { facts } from "./parts.js";
import { json } from "./requests.js";
import { explorer } from "./session.js";
import { depth, flagList, marks, stateBadge } from "./states.js";

export const MAX_ID_CHARACTERS = 200;

/** Whether a text can be an id. Anyone can write a link: an id with a slash, or of dots, would
 *  request another path of the API. */
export const possible = (id) => id.length <= MAX_ID_CHARACTERS && !id.includes("/") && id !== "." && id !== "..";

/** Request a transaction. */
export const load = (id, signal) => json(`v1/transactions/${encodeURIComponent(id)}`, signal);

/** Return what the drawer shows of a transaction. */
export function content(one) {
  const { why } = one;
  return [
    el("div", { class: "line" }, el("span", { class: "id foreign" }, one.id), actions.copyButton(one.id, "the id"), explorer(one.id)),
    el("p", { class: "line" }, marks(one),
      one.provider_degraded ? el("span", { class: "flag", "data-tone": "warn" }, "provider degraded") : null),
    el("p", { class: "sentence foreign" }, why.sentence),
    ...why.notes.map((note) => el("p", { class: "foreign" }, note)),
    one.final ? null : el("div", { class: "line" }, actions.recheck(one.id), actions.untrack(one.id)),
    progress(one),
    facts(terms(one)),
    ...payments(one),
    metadata(one.metadata),
    el("h3", {}, "History"),
    story(one.history),
  ];
}

function progress({ block, final, required, confirmations }) {
  if (!block || final || typeof required !== "number") return null;
  return el("progress", { max: required, value: Math.min(confirmations, required), "aria-label": "Confirmations" });
}

const hash = (text) => el("span", { class: "id" }, text);

const terms = (one) => [
  ["Waits for", one.why.waits_for === "nothing" ? null : words(one.why.waits_for)],
  ["Since", moment(one.why.since)],
  ["Next check", nextCheck(one.why.next_check)],
  ["Confirmations", one.block ? depth(one) : null],
  ["Block", one.block && count(one.block.number)],
  ["Block hash", one.block && hash(one.block.hash)],
  ["From", one.details?.from && hash(one.details.from)],
  ["To", one.details?.to && hash(one.details.to)],
  ["Created contract", one.details?.contract_address && hash(one.details.contract_address)],
  ["Value", wei(one.details?.value_wei)],
  ["Nonce", whole(one.details?.nonce)],
  ["Gas used", whole(one.details?.gas_used)],
  ["Block time", one.details?.block_time && moment(one.details.block_time)],
  ["Fee", one.outcome?.fee ? `${one.outcome.fee} wei` : null],
  ["Error", one.outcome?.error ?? null],
  ["Superseded by", one.superseded_by && hash(one.superseded_by)],
  ["Reason", one.reason && words(one.reason)],
  ["Parked because", one.parked],
  ["Deadline", one.deadline && moment(one.deadline)],
  ["Registered", moment(one.created_at)],
  ["Changed", moment(one.updated_at)],
  ["Version", count(one.version)],
].map(([name, value]) => [name, value || null]);

const whole = (number) => (number === null || number === undefined ? null : count(number));

// Text: a number of JavaScript cannot hold an amount in wei exactly.
const wei = (text) => (text === null || text === undefined ? null : `${text} wei`);

/** Return whether the transaction is the expected payment, and its token transfers. */
function payments({ details, expectation }) {
  const transfers = details?.transfers ?? [];
  return [expectation ? comparison(expectation) : null, transfers.length ? transferList(details) : null];
}

function comparison({ matches, differences }) {
  const [tone, text] =
    matches === null ? ["quiet", "not known yet"] : matches ? ["good", "as expected"] : ["bad", "not as expected"];
  const items = differences.map(({ field, expected, actual }) =>
    el("li", { class: "foreign" }, `${words(field)}: expected ${expected}, is ${actual ?? "none"}`));
  return el("section", {}, el("h3", {}, "Expected payment"),
    el("p", { class: "line" }, el("span", { class: "badge", "data-tone": tone }, text)),
    items.length ? el("ul", {}, ...items) : null);
}

function transferList({ transfers, transfer_count: total }) {
  const items = transfers.map((transfer) =>
    el("li", {},
      el("div", { class: "line" }, transfer.standard, ...amount(transfer)),
      transfer.token_id ? el("span", { class: "foreign" }, "token id ", hash(transfer.token_id)) : null,
      inSmallestUnit(transfer),
      el("span", { class: "foreign" }, "token ", hash(transfer.token)),
      el("span", { class: "foreign" }, "from ", hash(transfer.from)),
      el("span", { class: "foreign" }, "to ", hash(transfer.to))));
  const more = total > transfers.length ? ` (the first ${count(transfers.length)})` : "";
  return el("section", {}, el("h3", {}, `${count(total)} token transfers${more}`), el("ol", { class: "events" }, ...items));
}

const isScaled = ({ value, decimals }) => value !== null && decimals !== null && decimals !== undefined;

/** Return the amount of a transfer, for people where the decimals of its token are known.
 *
 *  Any contract can have any symbol, also one that looks like a part of the amount, such as
 *  "X (999)": it stands in a frame of its own, behind all digits of the amount. */
function amount(transfer) {
  if (transfer.value === null) return [];
  if (!isScaled(transfer)) return [hash(transfer.value)];
  const { value, decimals, symbol } = transfer;
  const digits = value.padStart(decimals + 1, "0");
  const [whole, part] = [digits.slice(0, digits.length - decimals), digits.slice(digits.length - decimals)];
  const scaled = [whole, part.replace(/0+$/, "")].filter(Boolean).join(".");
  return [el("span", { class: "amount" }, scaled), symbol ? el("bdi", { class: "symbol foreign", title: "The symbol that the token's contract gives" }, symbol) : null];
}

const inSmallestUnit = (transfer) =>
  isScaled(transfer) ? el("span", { class: "foreign" }, "in the smallest unit ", hash(transfer.value)) : null;

function nextCheck(check) {
  if (!check) return null;
  if (check.at_height !== null) return `with block ${count(check.at_height)}`;
  if (check.at_time !== null) return moment(check.at_time);
  return `within ${span(check.within_seconds)}, and with every block`;
}

function metadata(given) {
  const text = JSON.stringify(given, null, 2);
  return text === "{}" ? null : el("section", {}, el("h3", {}, "Metadata"), el("pre", { tabindex: "0" }, text));
}

function story(events) {
  if (!events.length) return el("p", { class: "quiet" }, "No events yet.");
  const items = events.toReversed().map((event) =>
    el("li", {},
      el("span", { class: "line" }, stateBadge(event.state), flagList(event.flags)),
      el("span", { class: "quiet foreign" }, event.block ? `block ${count(event.block.number)} · ` : "", moment(event.recorded_at))));
  return el("ol", { class: "events" }, ...items);
}
