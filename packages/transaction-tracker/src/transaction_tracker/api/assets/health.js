// Health at a glance: what the API says of the service, again and again.

import { Refused, json, text } from "./api.js";
import { OPEN, byId, count, el, latency, moment, renderer, span, words } from "./dom.js";

const GAUGE = /^transaction_tracker_(\w+?)(?:\{state="(\w+)"\})? (\S+)$/gm;
// Endpoints are asked about one by one, so more seldom.
const OUTBOX_MS = 30_000;

const TONES = { active: "good", healthy: "good", paused: "warn", refused: "bad", unchecked: "quiet" };

let endpoints = { at: -Infinity, found: null };

/** Ask for all of it. */
export async function look(signal) {
  // One first: a token that is good no more is not sent five times at once.
  const { frozen_since: frozen } = await json("v1/deliveries", signal);
  const [{ faults, notes }, { providers }, gauges, targets] = await Promise.all([
    readiness(signal),
    json("v1/providers", signal),
    text("metrics", signal).then(read),
    outbox(signal),
  ]);
  return { faults, notes, providers, frozen, gauges, endpoints: targets };
}

async function readiness(signal) {
  try {
    const { notes = [] } = await json("readyz", signal);
    return { faults: [], notes };
  } catch (error) {
    if (error instanceof Refused && error.kind === "not-ready") return { faults: error.faults, notes: [] };
    throw error;
  }
}

function read(page) {
  const gauges = { states: {} };
  for (const [, name, state, value] of page.matchAll(GAUGE)) {
    if (name === "tracked") gauges.states[state] = Number(value);
    else gauges[name] = Number(value);
  }
  return gauges;
}

// Only `admin` may see where events go: without it, the rest is shown.
async function outbox(signal) {
  if (Date.now() - endpoints.at < OUTBOX_MS) return endpoints.found;
  endpoints = { at: Date.now(), found: null };
  try {
    const { endpoints: listed } = await json("v1/endpoints", signal);
    const all = [];
    for (const { id } of listed) all.push(await json(`v1/endpoints/${id}`, signal));
    endpoints.found = all.map(({ id, enabled, dead, disabled_reason: why }) => ({ id, enabled, dead, why }));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 403) endpoints.at = Infinity;
    else if (error.status !== 404) throw error;
  }
  return endpoints.found;
}

/** Forget what the last token was allowed to see. */
export function forget() {
  endpoints = { at: -Infinity, found: null };
}

// -- What stands at the top

/** Say what somebody has to look at, the worst first. */
export function alarms({ faults, notes, providers, frozen, gauges, endpoints: targets }) {
  const found = [];
  const dead = sum(targets, "dead");
  const disabled = (targets ?? []).filter((one) => !one.enabled);
  if (frozen) found.push({ tone: "bad", title: "Deliveries are frozen", since: frozen,
    text: "The chain took back what was final. No event is delivered until somebody has looked:",
    command: "txtrack deliveries resume" });
  for (const fault of faults) found.push(sourceAlarm(fault, "bad") ?? { tone: "bad", title: "Not ready", text: fault.detail });
  for (const note of notes) found.push(sourceAlarm(note, "warn") ?? { tone: "warn", title: "Look at this", text: note.detail });
  if (providers.length && !providers.some((one) => one.healthy)) found.push({ tone: "bad",
    title: "No provider answers as it should", text: "States stand still until one does.",
    command: "txtrack provider check" });
  if (gauges.parked) found.push({ tone: "warn", title: `${many(gauges.parked, "tracker")} parked`,
    text: "They crashed too often, or no provider describes their transactions in a readable way. Find them in the list, then start them again:",
    command: "txtrack recheck ID" });
  if (dead) found.push({ tone: "warn", title: many(dead, "dead letter"),
    text: "Events were given up. Once their receiver is well:", command: "txtrack webhook redeliver ENDPOINT" });
  for (const { id, why } of disabled) found.push({ tone: "warn", title: `Endpoint ${id} is disabled`,
    text: why ?? "Nothing is delivered to it.", command: `txtrack webhook enable ${id}` });
  return found;
}

// Why the chain does not move: the service says it in one line, with the block and the field.
function sourceAlarm({ detail, since }, tone) {
  const [, state, reason] = /^source (halted|lagging): (.*)$/s.exec(detail) ?? [];
  return state ? { tone, title: `Source ${state}`, since, text: reason, command: "txtrack doctor" } : null;
}

/** Show them. */
export const alarmList = renderer(byId("alarms"), (found) =>
  found.map(({ tone, title, since, text: said, command }) =>
    el("p", { class: "alarm", "data-tone": tone },
      el("strong", {}, title), since ? [" since ", moment(since)] : null, ". ", said,
      command ? [" ", el("code", {}, command)] : null)));

/** Show the figures. */
export const figures = renderer(byId("figures"), (seen) => cards(seen).map(card));

function cards({ faults, providers, frozen, gauges, endpoints: targets }) {
  const { states } = gauges;
  const open = Object.keys(OPEN).reduce((total, state) => total + (states[state] ?? 0), 0);
  const all = Object.values(states).reduce((total, one) => total + one, 0);
  const head = providers.find((one) => one.state === "active")?.head ?? null;
  const late = gauges.head_lag_blocks;
  const dead = sum(targets, "dead");
  return [
    ["Service", faults.length ? "Not ready" : "Ready", faults.length ? "see above" : "all parts work", faults.length ? "bad" : "good"],
    head === null ? null : ["Head", count(head), heard(gauges.head_lag_seconds), null],
    late === undefined ? null : ["Lag", many(late, "block"), head === null ? heard(gauges.head_lag_seconds) : "behind the head", late > 3 ? "warn" : null],
    ["Open", count(open), `of ${count(all)} tracked`, null],
    ["Deliveries", frozen ? "Frozen" : "Flowing", frozen ? "nothing is delivered" : "none is held back", frozen ? "bad" : "good"],
    ["Outbox", count(gauges.outbox_pending ?? 0), waiting(gauges), gauges.outbox_oldest_seconds > 3_600 ? "warn" : null],
    targets === null ? null : ["Dead letters", count(dead), `from ${many(targets.length, "endpoint")}`, dead ? "warn" : null],
    ["Parked", count(gauges.parked ?? 0), gauges.parked ? "trackers given up" : "none given up", gauges.parked ? "warn" : null],
  ].filter(Boolean);
}

const card = ([name, value, note, tone]) =>
  el("div", { class: "card", "data-tone": tone },
    el("dt", {}, name), el("dd", { class: "value" }, value), el("dd", { class: "quiet" }, note));

const heard = (seconds) =>
  seconds === undefined ? "not heard yet" : seconds < 2 ? "heard just now" : `heard ${span(seconds)} ago`;
const waiting = (gauges) =>
  gauges.outbox_pending ? `pending, oldest ${span(gauges.outbox_oldest_seconds)}` : "nothing waits";
const sum = (list, name) => (list ?? []).reduce((total, one) => total + one[name], 0);
const many = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

// -- Providers

/** Show how the providers do. */
export function providerList(providers) {
  byId("providers").hidden = providers.length === 0;
  listed(providers.map(({ requests: _, head_age: __, ...facts }) => facts));
}

const listed = renderer(byId("provider-list"), (providers) => providers.map(provider));

function provider(one) {
  const errors = Object.entries(one.errors).filter(([, number]) => number > 0);
  return el("li", { class: "provider" },
    el("div", { class: "line" },
      el("strong", {}, one.name),
      el("span", { class: "badge", "data-tone": TONES[one.state] ?? "quiet" }, words(one.state))),
    el("p", {}, position(one)),
    el("p", { class: "quiet" }, [speed(one), failing(one, errors)].filter(Boolean).join(" · ")),
    one.paused_until ? el("p", {}, "Asked again at ", moment(new Date(one.paused_until * 1_000).toISOString())) : null,
    one.by_hand ? el("p", {}, "Paused by hand") : null,
    one.last_error && !one.healthy ? el("p", { class: "foreign" }, one.last_error) : null);
}

const position = ({ head, lag }) =>
  head === null ? "No head yet" : `Head ${count(head)}${lag ? `, ${many(lag, "block")} behind` : ""}`;
const speed = ({ latency_p50: half, latency_p95: most }) =>
  half === null ? null : `${latency(half)}, 95 % within ${latency(most)}`;
const failing = ({ error_rate: rate }, errors) =>
  errors.length
    ? `${(100 * rate).toFixed(rate && rate < 0.1 ? 1 : 0)} % failing; so far ${errors.map(([kind, number]) => `${count(number)} ${words(kind)}`).join(", ")}`
    : "no errors";
