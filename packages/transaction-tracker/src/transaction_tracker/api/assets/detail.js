// The details of one transaction. Its id is in the URL's fragment, which is not sent to servers, so
// a link opens it and "back" closes it.

import { Refused, json } from "./api.js";
import { badge, byId, count, el, fill, flagList, moment, span, words } from "./dom.js";
import { depth } from "./table.js";
import { Bell, NEVER_MS, sleep } from "./waiting.js";

const REST_MS = 300;
const MAX_ID_CHARACTERS = 200;
const LATER = "later";

const changed = new Bell();
const dialog = byId("detail");
let shown = null;
let last = "";

/** Show the transaction of the fragment, again after each possible change. */
export async function follow(signal) {
  for (;;) {
    const id = wanted();
    if (id !== null) await show(id, signal);
    await changed.wait(NEVER_MS, signal);
    if (id !== null && id === wanted()) await sleep(REST_MS, signal);
  }
}

/** Note that a transaction can have changed; without an id, any transaction. */
export function touch(id = wanted()) {
  if (id === wanted()) changed.ring();
}

function wanted() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text) || null;
  } catch {
    return text;
  }
}

async function show(id, signal) {
  const content = possible(id) ? await asked(id, signal) : { refused: "This is not a valid transaction id." };
  const now = JSON.stringify([id, content]);
  if (id !== wanted()) return;
  if (now !== last) write(id, content);
  [shown, last] = [id, now];
  if (!dialog.open) appear();
}

// Anyone can write a link: an id with a slash, or of dots, would request another path of the API.
const possible = (id) => id.length <= MAX_ID_CHARACTERS && !id.includes("/") && id !== "." && id !== "..";

async function asked(id, signal) {
  try {
    return { found: await json(`v1/transactions/${encodeURIComponent(id)}`, signal) };
  } catch (error) {
    if (!aboutThis(error)) throw error;
    return { refused: error.message };
  }
}

// An error of this request alone must not stop the rest of the page.
const aboutThis = (error) =>
  error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 429 && !error.wantsToken;

function write(id, { found, refused }) {
  const body = byId("detail-body");
  if (refused !== undefined) return fill(body, ...nothing(id, refused));
  try {
    fill(body, ...all(found));
  } catch (error) {
    console.error(error);
    fill(body, ...nothing(id, "The response of the service cannot be displayed."));
  }
}

// -- Opening and closing

function appear() {
  dialog.returnValue = "";
  dialog.showModal();
  dialog.scrollTop = 0;
}

/** Close the dialog, but open it again later. */
export function hide() {
  if (dialog.open) dialog.close(LATER);
}

function turn() {
  if (wanted() === null) dialog.close();
  else changed.ring();
}

/** Connect the dialog to the fragment of the URL. */
export function open() {
  addEventListener("hashchange", turn);
  dialog.addEventListener("close", () => {
    // The event comes late: the fragment can name another transaction by now.
    if (wanted() === shown && dialog.returnValue !== LATER) {
      history.pushState(null, "", location.pathname + location.search);
    }
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = encodeURIComponent(byId("wanted").value.trim());
  });
}

// -- What is shown

const nothing = (id, why) => [
  el("p", { class: "id foreign" }, id.length > MAX_ID_CHARACTERS ? `${id.slice(0, MAX_ID_CHARACTERS)}…` : id),
  el("p", { class: "sentence" }, why),
];

function all(one) {
  const { why } = one;
  return [
    el("p", { class: "id foreign" }, one.id),
    el("p", { class: "line" }, badge(one.state), ...flagList(one.flags),
      one.provider_degraded ? el("span", { class: "flag", "data-tone": "warn" }, "provider degraded") : null,
      one.parked && !one.final ? el("span", { class: "flag", "data-tone": "bad" }, "parked") : null),
    el("p", { class: "sentence foreign" }, why.sentence),
    ...why.notes.map((note) => el("p", { class: "foreign" }, note)),
    progress(one),
    el("dl", { class: "facts" }, ...facts(one).filter(([, value]) => value !== null).flatMap(fact)),
    ...payments(one),
    metadata(one.metadata),
    el("h3", {}, "History"),
    story(one.history),
  ];
}

const fact = ([name, value]) => [el("dt", {}, name), el("dd", { class: "foreign" }, value)];

function progress({ block, final, required, confirmations }) {
  if (!block || final || typeof required !== "number") return null;
  return el("progress", { max: required, value: Math.min(confirmations, required), "aria-label": "Confirmations" });
}

const hash = (text) => el("span", { class: "id" }, text);

const facts = (one) => [
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
].map(([name, value]) => [name, value ?? null]);

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
      el("span", { class: "line" }, `${transfer.standard} ${[transfer.value, transfer.token_id && `id ${transfer.token_id}`].filter(Boolean).join(", ")}`),
      el("span", { class: "foreign" }, "token ", hash(transfer.token)),
      el("span", { class: "foreign" }, "from ", hash(transfer.from)),
      el("span", { class: "foreign" }, "to ", hash(transfer.to))));
  const more = total > transfers.length ? ` (the first ${count(transfers.length)})` : "";
  return el("section", {}, el("h3", {}, `${count(total)} token transfers${more}`), el("ol", { class: "events" }, ...items));
}

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
      el("span", { class: "line" }, badge(event.state), ...flagList(event.flags)),
      el("span", { class: "quiet foreign" }, event.block ? `block ${count(event.block.number)} · ` : "", moment(event.recorded_at))));
  return el("ol", { class: "events" }, ...items);
}
