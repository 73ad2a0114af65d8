// The page as a small supervision tree: the loops that follow the service start together; if one
// fails, all are stopped and started again after a back-off.

import * as actions from "./actions.js";
import * as alarms from "./alarms.js";
import * as alerts from "./alerts.js";
import * as changes from "./changes.js";
import * as detail from "./detail.js";
import { byId, el, fill, moment, setText, span, tick } from "./dom.js";
import * as door from "./door.js";
import * as endpoints from "./endpoints.js";
import * as health from "./health.js";
import "./keys.js";
import * as overview from "./overview.js";
import { Pages } from "./pages.js";
import * as providers from "./providers.js";
import { Lost, forgetToken, hasToken, json } from "./requests.js";
import { change, current, link } from "./route.js";
import * as session from "./session.js";
import * as sources from "./sources.js";
import * as stream from "./stream.js";
import * as transactions from "./transactions.js";
import { Bell, NEVER_MS } from "./waiting.js";

const POLL_MS = 5_000;
const TICK_MS = 5_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
// A tab that is hidden for this long stops sending requests until it is visible again.
const HIDDEN_MS = 60_000;
const NEVER = new AbortController().signal;

const FORGOTTEN = new Error("signed out");
const HIDDEN = new Error("the tab is hidden");

const title = document.title;
const again = new Bell();
const pages = new Pages({ overview, transactions, endpoints, providers, alerts }, byId("content"));
let attempt = new AbortController();
let unseen = false;
let found = [];

async function run() {
  let pause = FIRST_PAUSE_MS;
  for (;;) {
    await untilVisible();
    const began = performance.now();
    attempt = new AbortController();
    byId("forget").hidden = !hasToken();
    try {
      await follow(attempt.signal);
    } catch (error) {
      const cause = attempt.signal.aborted ? attempt.signal.reason : error;
      attempt.abort();
      if (performance.now() - began > MAX_PAUSE_MS) pause = FIRST_PAUSE_MS;
      pause = await recover(cause, pause);
    }
  }
}

/** Wait until the tab is visible, if it was hidden for long. */
async function untilVisible() {
  if (unseen) say("Paused while the tab is hidden", "quiet");
  while (unseen) await again.wait(NEVER_MS, NEVER);
}

async function follow(signal) {
  // One request first, so that a wrong token is sent only once.
  session.keep(await json("v1/service", signal));
  await sources.load(session.service.source, signal);
  introduce(session.service);
  byId("inside").hidden = false;
  await Promise.race([
    stream.follow(signal, happened, connected),
    watch(signal),
    pages.follow(signal),
    detail.follow(signal),
  ]);
}

/** Handle an error, and return the pause after the next one. */
async function recover(cause, pause) {
  byId("inside").dataset.stale = "";
  if (cause === FORGOTTEN) {
    forgetData();
  } else if (cause.wantsToken) {
    await admit(cause);
  } else if (cause !== HIDDEN) {
    await backOff(cause, pause);
    return Math.min(2 * pause, MAX_PAUSE_MS);
  }
  return FIRST_PAUSE_MS;
}

async function admit(cause) {
  say("Waiting for a token", "warn");
  document.title = title;
  forgetData();
  detail.hide();
  await door.token(cause);
  say("Connecting…", "quiet");
}

/** Clear what the last token could read, and what it could do. */
function forgetData() {
  found = [];
  health.forget();
  pages.forget();
  detail.forget();
}

async function backOff(cause, pause) {
  // Log errors of this page itself, which are neither `Lost` nor `Refused`.
  if (!(cause instanceof Error) || cause.name !== "Error") console.error(cause);
  const what = cause instanceof Lost ? "Connection lost" : "Request failed";
  const wait = Math.max(pause * (0.75 + Math.random() / 2), cause.retryAfterMs ?? 0);
  document.title = `${what} · ${title}`;
  say(`${what}: ${cause.message}. Retrying in ${span(Math.max(1, wait / 1_000))}.`, "bad");
  await again.wait(wait, NEVER);
}

// -- While it is connected

function introduce({ version, database, started_at: started }) {
  fill(byId("facts"), `txtrack ${version} · ${database === "sqlite" ? "SQLite" : "PostgreSQL"} · running since `, moment(started),
    " · Keys: / searches, j and k move, Enter opens, Escape closes. ", el("a", { href: "docs" }, "The HTTP API"));
  fill(byId("pages"), pages.allowed().map(([name, page]) => el("a", { href: `#${name}`, "data-page": name }, page.title)),
    session.seesAll() ? el("a", { href: "observer/" }, "Processes") : null);
  pages.mark();
}

actions.onDone(() => {
  health.refresh();
  pages.refresh();
});

// The list starts at its first page again.
sources.onChoice(() => {
  change({ cursor: null, page: null }, true);
  pages.turn();
  actions.done.ring();
});

function connected(live) {
  if (live) say("Connected", "good");
  else say("Connected without live updates: the service has too many streams", "warn");
}

function happened(event) {
  changes.add(event);
  pages.happened();
  detail.touch(event.transaction);
}

async function watch(signal) {
  for (;;) {
    show(await health.look(signal));
    detail.touch();
    await actions.done.wait(POLL_MS, signal);
  }
}

function show(seen) {
  found = alarms.alarms(seen);
  alarms.show(found);
  pages.look(seen);
  delete byId("inside").dataset.stale;
  document.title = found.length ? `${found[0].title} · ${title}` : title;
}

function say(text, tone) {
  setText(byId("link"), text);
  byId("link").dataset.tone = tone;
}

// -- Events of the browser

let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) return startHiding();
  unseen = false;
  again.ring();
});

// Also sets a flag: between two attempts there is no request to abort.
function startHiding() {
  hiding = setTimeout(() => {
    unseen = true;
    attempt.abort(HIDDEN);
  }, HIDDEN_MS);
}

/** Turn to the page of the fragment. A fragment that is not a page is the id of a transaction. */
function go() {
  const text = location.hash.slice(1);
  const { page } = current();
  if (text && !pages.has(page)) {
    location.replace(link("transactions", { info: decoded(text) }));
    return;
  }
  alarms.show(found);
  actions.forget();
  pages.turn();
  detail.turn();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

addEventListener("hashchange", go);
addEventListener("online", () => again.ring());
byId("forget").addEventListener("click", () => {
  forgetToken();
  attempt.abort(FORGOTTEN);
  again.ring();
});

setInterval(tick, TICK_MS);
go();
// A tab opened in the background gets no visibilitychange event until it is shown.
if (document.hidden) startHiding();
run();
