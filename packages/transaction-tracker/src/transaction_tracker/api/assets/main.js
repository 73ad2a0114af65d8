// The page as a small tree: what follows the service is started together, and when one part
// fails, all of it is stopped and started again, after a pause that grows.

import { Lost, forgetToken, hasToken, json } from "./api.js";
import * as changes from "./changes.js";
import * as detail from "./detail.js";
import * as door from "./door.js";
import { byId, setText, span, tick } from "./dom.js";
import * as health from "./health.js";
import * as stream from "./stream.js";
import * as table from "./table.js";
import { Bell, NEVER_MS, sleep } from "./waiting.js";

const LOOK_MS = 5_000;
const TICK_MS = 5_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
// Whoever looks elsewhere for so long leaves the service alone, and comes back to where it was.
const HIDDEN_MS = 60_000;
const NEVER = new AbortController().signal;

const FORGOTTEN = new Error("the token was forgotten");
const HIDDEN = new Error("nobody looks");

const title = document.title;
const again = new Bell();
let attempt = new AbortController();
let unseen = false;

async function run() {
  let pause = FIRST_PAUSE_MS;
  for (;;) {
    await somebody();
    const began = performance.now();
    attempt = new AbortController();
    byId("forget").hidden = !hasToken();
    try {
      await follow(attempt.signal);
    } catch (error) {
      const cause = attempt.signal.aborted ? attempt.signal.reason : error;
      attempt.abort();
      if (performance.now() - began > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
      pause = await recover(cause, pause);
    }
  }
}

/** Wait until somebody looks, if nobody has for long. */
async function somebody() {
  if (unseen) say("Paused while nobody looks", "quiet");
  while (unseen) await again.wait(NEVER_MS, NEVER);
}

async function follow(signal) {
  // One question first: should the token be wrong, it was sent once.
  await json("v1/deliveries", signal);
  byId("inside").hidden = false;
  await Promise.race([
    stream.follow(signal, happened, connected),
    watch(signal),
    table.follow(signal),
    detail.follow(signal),
  ]);
}

/** Do what an error asks for, and say how long to wait after the next one. */
async function recover(cause, pause) {
  byId("inside").dataset.stale = "";
  if (cause === FORGOTTEN) {
    health.forget();
  } else if (cause.wantsToken) {
    await admit(cause);
  } else if (cause !== HIDDEN) {
    await backOff(cause, pause);
    return Math.min(2 * pause, LONGEST_PAUSE_MS);
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
  // A mistake of this page, neither silence nor a refusal, is one to read about.
  if (!(cause instanceof Error) || cause.name !== "Error") console.error(cause);
  const what = cause instanceof Lost ? "Connection lost" : "Not answered";
  const wait = Math.max(pause * (0.75 + Math.random() / 2), cause.retryAfterMs ?? 0);
  document.title = `${what} · ${title}`;
  say(`${what}: ${cause.message}. Trying again in ${span(Math.max(1, wait / 1_000))}.`, "bad");
  await again.wait(wait, NEVER);
}

// -- While it is connected

function connected(live) {
  if (live) say("Connected", "good");
  else say("Connected, but there is no room for live updates", "warn");
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
    await sleep(LOOK_MS, signal);
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

// -- What comes from the browser

let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) return awaitEyes();
  unseen = false;
  again.ring();
});

// It is kept, too: between two attempts there is nothing to stop.
function awaitEyes() {
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
// A tab may be opened in the background, and nothing tells of that later.
if (document.hidden) awaitEyes();
run();
