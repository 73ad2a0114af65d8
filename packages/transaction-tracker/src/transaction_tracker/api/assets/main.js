// The page as a small supervision tree: the loops that follow the service start together; if one
// fails, all are stopped and started again after a back-off.

import { Lost, forgetToken, hasToken, json } from "./api.js";
import * as changes from "./changes.js";
import * as detail from "./detail.js";
import * as door from "./door.js";
import { byId, setText, span, tick } from "./dom.js";
import * as health from "./health.js";
import * as sources from "./sources.js";
import * as stream from "./stream.js";
import * as table from "./table.js";
import { Bell, NEVER_MS, sleep } from "./waiting.js";

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
let attempt = new AbortController();
let unseen = false;

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
  await json("v1/deliveries", signal);
  await sources.load(signal);
  byId("inside").hidden = false;
  await Promise.race([
    stream.follow(signal, happened, connected),
    watch(signal),
    table.follow(signal),
    detail.follow(signal),
  ]);
}

/** Handle an error, and return the pause after the next one. */
async function recover(cause, pause) {
  byId("inside").dataset.stale = "";
  if (cause === FORGOTTEN) {
    health.forget();
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
  health.forget();
  detail.hide();
  await door.token(cause);
  say("Connecting…", "quiet");
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

function connected(live) {
  if (live) say("Connected", "good");
  else say("Connected without live updates: the service has too many streams", "warn");
}

function happened(event) {
  changes.add(event);
  table.touch();
  detail.touch(event.transaction);
}

async function watch(signal) {
  for (;;) {
    show(await health.look(signal));
    table.touch();
    detail.touch();
    await sleep(POLL_MS, signal);
  }
}

function show(seen) {
  const found = health.alarms(seen);
  health.alarmList(found);
  health.figures(seen);
  health.providerList(seen.providers);
  table.census(seen.gauges.states);
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

addEventListener("online", () => again.ring());
byId("forget").addEventListener("click", () => {
  forgetToken();
  attempt.abort(FORGOTTEN);
  again.ring();
});

setInterval(tick, TICK_MS);
detail.open();
// A tab opened in the background gets no visibilitychange event until it is shown.
if (document.hidden) startHiding();
run();
