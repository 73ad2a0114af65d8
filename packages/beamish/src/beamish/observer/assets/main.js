// The page: chooses what is shown by the hash, follows it, and starts again when a stream fails.

import * as application from "./application.js";
import * as crashes from "./crashes.js";
import * as detail from "./detail.js";
import { byId, el, fill, setText, span } from "./dom.js";
import * as door from "./door.js";
import "./keys.js";
import * as metrics from "./metrics.js";
import * as overview from "./overview.js";
import * as processes from "./processes.js";
import * as registries from "./registries.js";
import { Lost, Refused, forgetToken, hasToken, json } from "./requests.js";
import { current } from "./route.js";
import { follow } from "./sse.js";
import * as supervisors from "./supervisors.js";
import * as tree from "./tree.js";
import { Bell, NEVER_MS } from "./waiting.js";

const PAGES = { overview, processes, tree, supervisors, registries, crashes, metrics };
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;
const EVERY_KEY = "beamish-observer-every";

const again = new Bell();
let paused = false;
let session = null;
let page = null; // the shown page, and what shows its snapshots
let following = null; // the requests of the page
let looking = null; // the requests of the drawer
let shownInfo = null;

// -- One view

function path(view, query) {
  const params = new URLSearchParams({ view, every: byId("every").value });
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== "") params.set(name, value);
  return `events?${params}`;
}

const stopped = () => paused || document.hidden;

/**
 * Show snapshots until `signal` aborts; start again after failures.
 *
 * @param gone Called when the shown process has exited, which ends it; `null` for a page, which can
 *   be read again.
 */
async function watch(view, query, signal, show, gone = null) {
  let pause = FIRST_PAUSE_MS;
  for (;;) {
    while (stopped()) {
      say(paused ? "Paused" : "Paused while the tab is hidden", "quiet");
      await again.wait(NEVER_MS, signal);
    }
    const attempt = new AbortController();
    attempts.add(attempt);
    try {
      const ended = await showAll(path(view, query), AbortSignal.any([signal, attempt.signal]), show, gone);
      if (ended) return;
      throw new Lost("the program has ended the stream");
    } catch (error) {
      if (signal.aborted) throw error;
      if (attempt.signal.aborted) continue;
      pause = await recover(error, pause, signal);
    } finally {
      attempts.delete(attempt);
    }
  }
}

const attempts = new Set();

/** Abort the current requests of every view, which then look whether to go on. */
function interrupt() {
  for (const attempt of attempts) attempt.abort();
  again.ring();
}

async function showAll(address, signal, show, gone) {
  for await (const { event, data } of follow(address, signal)) {
    if (event === "snapshot") {
      say("Live", "good");
      delete byId("inside").dataset.stale;
      show(JSON.parse(data));
    } else if (event === "gone") {
      if (gone === null) throw new Refused(500, JSON.parse(data));
      gone(JSON.parse(data).error);
      return true;
    }
  }
  return false;
}

async function recover(error, pause, signal) {
  byId("inside").dataset.stale = "";
  if (error.wantsToken) {
    location.reload(); // begins with the sign-in
    await again.wait(NEVER_MS, signal);
  }
  // Errors of this page itself are neither `Lost` nor `Refused`.
  if (!(error instanceof Lost || error instanceof Refused)) console.error(error);
  if (error instanceof Refused && error.status < 500) {
    say(error.message, "bad");
    await again.wait(NEVER_MS, signal);
    return FIRST_PAUSE_MS;
  }
  const wait = pause * (0.75 + Math.random() / 2);
  say(`${error instanceof Lost ? "Connection lost" : "Request failed"}: ${error.message}. Retrying in ${span(Math.max(1, wait / 1_000))}.`, "bad");
  await again.wait(wait, signal);
  return Math.min(2 * pause, MAX_PAUSE_MS);
}

function say(text, tone) {
  setText(byId("link"), text);
  byId("link").dataset.tone = tone;
}

// -- The page and the drawer

function go() {
  const { page: name } = current();
  const chosen = PAGES[name] ?? overview;
  const key = JSON.stringify([name, chosen.query()]);
  if (page?.key !== key) turnTo(chosen, name, key);
  const info = current().params.get("info");
  if (info !== shownInfo) lookAt(info);
  for (const link of byId("pages").querySelectorAll("a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function turnTo(chosen, name, key) {
  following?.abort();
  following = new AbortController();
  // A new order or search of the same page keeps its elements, and with them the focus.
  if (page?.name !== name) {
    page?.end.abort();
    const end = new AbortController();
    const inside = byId("inside");
    fill(inside);
    page = { name, end, show: chosen.build(inside, end.signal) };
    document.title = `${chosen.title} · beamish observer`;
  }
  page.key = key;
  const { show } = page;
  run(watch(chosen.view, chosen.query(), following.signal, show));
}

function lookAt(info) {
  looking?.abort();
  shownInfo = info;
  if (info === null) return detail.close();
  looking = new AbortController();
  const drawer = detail.open(info, session, looking.signal);
  const { view, query } = detail.wanted();
  run(watch(view, query, looking.signal, drawer.show, drawer.gone));
}

function run(promise) {
  promise.catch((error) => {
    if (error?.name !== "AbortError") console.error(error);
  });
}

// -- The sign-in

/** Return the facts about this observer, after a sign-in if it needs one. */
async function admitted() {
  const never = new AbortController().signal;
  let pause = FIRST_PAUSE_MS;
  for (;;) {
    try {
      return await json("api/session", never);
    } catch (error) {
      if (error.wantsToken) await signIn(error);
      else pause = await recover(error, pause, never);
    }
  }
}

async function signIn(error) {
  say("Waiting for a token", "warn");
  await door.token(error);
  say("Connecting…", "quiet");
}

// -- Events of the browser

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  setText(byId("pause"), paused ? "Resume" : "Pause");
  interrupt();
});
byId("every").addEventListener("change", () => {
  try {
    localStorage.setItem(EVERY_KEY, byId("every").value);
  } catch {
    // The browser forbids storage: the choice lasts as long as the page.
  }
  interrupt();
});
byId("forget").addEventListener("click", () => {
  forgetToken();
  location.reload();
});
document.addEventListener("visibilitychange", interrupt);
addEventListener("online", () => again.ring());
addEventListener("hashchange", go);

// -- The start

function restoreEvery() {
  try {
    const kept = localStorage.getItem(EVERY_KEY);
    if ([...byId("every").options].some((option) => option.value === kept)) byId("every").value = kept;
  } catch {
    // The browser forbids storage.
  }
}

restoreEvery();
session = await admitted();
for (const { name, title } of session.pages) PAGES[name] = application.page(name, title);
fill(byId("pages"),
  session.home ? el("a", { href: session.home }, "← Back") : null,
  Object.entries(PAGES).map(([name, found]) => el("a", { href: `#${name}`, "data-page": name }, found.title)));
byId("forget").hidden = !hasToken();
byId("inside").hidden = false;
go();
