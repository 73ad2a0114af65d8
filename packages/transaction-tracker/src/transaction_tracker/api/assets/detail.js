// The drawer: one transaction (`info`) or one endpoint (`endpoint`). Its id is in the URL's fragment,
// which is not sent to servers, so a link opens it and "back" closes it.

import * as actions from "./actions.js";
import { byId, el, fill, setText } from "./dom.js";
import * as endpoint from "./endpoint.js";
import { Refused } from "./requests.js";
import { change, current } from "./route.js";
import * as transaction from "./transaction.js";
import { Bell, NEVER_MS, sleep } from "./waiting.js";

const REST_MS = 300;
const LATER = "later";
const KINDS = { info: { title: "Transaction", of: transaction }, endpoint: { title: "Endpoint", of: endpoint } };

const changed = new Bell();
const dialog = byId("detail");
let shown = null;
let last = "";

/** Show what the fragment names, again after each possible change. */
export async function follow(signal) {
  for (;;) {
    const found = wanted();
    if (found !== null) await show(found, signal);
    await changed.wait(NEVER_MS, signal);
    if (found !== null && found.key === wanted()?.key) await sleep(REST_MS, signal);
  }
}

/** Note that what is shown can have changed; with a transaction, only if that is shown. */
export function touch(id = null) {
  if (id === null || id === current().params.get("info")) changed.ring();
}

function wanted() {
  const { params } = current();
  for (const name of ["info", "endpoint"]) {
    const id = params.get(name);
    if (id) return { name, id, key: `${name} ${id}` };
  }
  return null;
}

async function show({ name, id, key }, signal) {
  const { title, of } = KINDS[name];
  const answer = transaction.possible(id) ? await asked(of, id, signal) : { refused: `This is not a valid ${title.toLowerCase()} id.` };
  const now = JSON.stringify([key, answer]);
  if (key !== wanted()?.key) return;
  setText(byId("detail-title"), title);
  if (now !== last) write(of, id, answer);
  if (key !== shown) actions.forget();
  [shown, last] = [key, now];
  if (!dialog.open) appear();
}

async function asked(of, id, signal) {
  try {
    return { found: await of.load(id, signal) };
  } catch (error) {
    if (!aboutThis(error)) throw error;
    return { refused: error.message };
  }
}

// An error of this request alone must not stop the rest of the page.
const aboutThis = (error) =>
  error instanceof Refused && error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 401;

function write(of, id, { found, refused }) {
  const body = byId("detail-body");
  if (refused !== undefined) return fill(body, nothing(id, refused));
  try {
    fill(body, of.content(found));
  } catch (error) {
    console.error(error);
    fill(body, nothing(id, "The response of the service cannot be displayed."));
  }
}

const nothing = (id, why) => [
  el("p", { class: "id foreign" }, id.length > transaction.MAX_ID_CHARACTERS ? `${id.slice(0, transaction.MAX_ID_CHARACTERS)}…` : id),
  el("p", { class: "sentence" }, why),
];

// -- Opening and closing

function appear() {
  dialog.returnValue = "";
  dialog.showModal();
  dialog.scrollTop = 0;
}

/** Close the drawer, but open it again later. */
export function hide() {
  if (dialog.open) dialog.close(LATER);
}

/** Forget what a token could read, so that the next one draws it again. */
export function forget() {
  last = "";
}

/** Open, change or close the drawer, as the fragment says. */
export function turn() {
  if (wanted() === null) dialog.close();
  else changed.ring();
}

dialog.addEventListener("close", () => {
  // The event comes late: the fragment can name another one by now.
  if (wanted()?.key === shown && dialog.returnValue !== LATER) change({ info: null, endpoint: null });
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
