// The health of the service, polled from the API.

import { Refused, json, text } from "./api.js";
import { OPEN, byId, count, el, latency, moment, renderer, span, words } from "./dom.js";
import { chosen, several } from "./sources.js";

const GAUGE = /^transaction_tracker_(\w+?)(?:\{(?:source="([a-z0-9-]+)",?)?(?:state="(\w+)")?\})? (\S+)$/gm;
// Counting the deliveries of all endpoints is slow.
const OUTBOX_MS = 30_000;
// Further failing or disabled endpoints are only counted.
const MAX_NAMED = 3;

const TONES = { active: "good", healthy: "good", paused: "warn", refused: "bad", unchecked: "quiet" };

let endpoints = { at: -Infinity, found: null };

/** Request the health data. */
export async function look(signal) {
  // One request first, so that an expired token is not sent six times at once.
  const deliveries = await json("v1/deliveries", signal);
  const [{ faults, notes }, { providers }, gauges, targets, { alerts }] = await Promise.all([
    readiness(signal),
    json("v1/providers", signal),
    text("metrics", signal).then(read),
    outbox(signal),
    json("v1/alerts?active=true", signal),
  ]);
  return { faults, notes, alerts, providers, frozen: deliveries.frozen_since, deliveries, gauges, endpoints: targets };
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
  for (const [, name, source, state, value] of page.matchAll(GAUGE)) {
    if (source !== undefined && chosen() && source !== chosen()) continue;
    const number = Number(value);
    if (name === "tracked") gauges.states[state] = (gauges.states[state] ?? 0) + number;
    else if (name === "parked") gauges.parked = (gauges.parked ?? 0) + number;
    else gauges[name] = Math.max(gauges[name] ?? number, number);
  }
  return gauges;
}

// Endpoints need the scope `admin`; without it, the page shows the rest.
async function outbox(signal) {
  if (Date.now() - endpoints.at < OUTBOX_MS) return endpoints.found;
  endpoints = { at: Date.now(), found: null };
  try {
    const { endpoints: listed } = await json("v1/endpoints", signal);
    endpoints.found = listed.map((one) => ({ id: one.id, health: one.health, dead: one.dead, why: one.disabled_reason,
      since: one.failing_since, error: one.last_error, tried: one.last_attempt_at, next: one.next_attempt_at }));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 403) endpoints.at = Infinity;
    else if (error.status !== 404) throw error;
  }
  return endpoints.found;
}

/** Clear the data that the last token could read. */
export function forget() {
  endpoints = { at: -Infinity, found: null };
}

// -- Alarms

/** Return the alarms, the most severe first. */
export function alarms({ faults, notes, alerts, providers, frozen, gauges, endpoints: targets }) {
  const found = [];
  const dead = sum(targets, "dead");
  const disabled = (targets ?? []).filter((one) => one.health === "disabled");
  const failing = (targets ?? []).filter((one) => one.health === "failing");
  if (frozen) found.push({ tone: "bad", title: "Deliveries are frozen", since: frozen,
    text: "A reorganisation removed a final block. No event is delivered until an operator resumes deliveries:",
    command: "txtrack deliveries resume" });
  for (const fault of faults) found.push(sourceAlarm(fault, "bad") ?? { tone: "bad", title: "Not ready", text: fault.detail });
  for (const note of notes) found.push(sourceAlarm(note, "warn") ?? lateAlarm(note) ?? { tone: "warn", title: "Warning", text: note.detail });
  if (providers.length && !providers.some((one) => one.healthy)) found.push({ tone: "bad",
    title: "No provider is healthy", text: "States do not change until a provider is healthy.",
    command: "txtrack provider check" });
  if (gauges.parked) found.push({ tone: "warn", title: `${many(gauges.parked, "tracker")} parked`,
    text: "They crashed too often, or no provider sends their transactions in a readable form. Find them in the list, then recheck them:",
    command: "txtrack recheck ID" });
  if (dead) found.push({ tone: "warn", title: many(dead, "dead letter"),
    text: "These events will not be retried. Once their receiver works:", command: "txtrack webhook redeliver ENDPOINT" });
  for (const one of failing.slice(0, MAX_NAMED)) found.push({ tone: "warn", title: `Endpoint ${one.id} is failing`,
    since: one.since, text: `Last error: ${one.error ?? "unknown"}.`, tried: one.tried, next: one.next,
    command: `txtrack webhook attempts ${one.id}` });
  if (failing.length > MAX_NAMED) found.push({ tone: "warn", title: `${many(failing.length - MAX_NAMED, "more endpoint")} failing`,
    text: "Their events wait.", command: "txtrack webhook ls" });
  for (const { id, why } of disabled.slice(0, MAX_NAMED)) found.push({ tone: "warn", title: `Endpoint ${id} is disabled`,
    text: why ?? "No events are delivered to it.", command: `txtrack webhook enable ${id}` });
  if (disabled.length > MAX_NAMED) found.push({ tone: "warn", title: `${many(disabled.length - MAX_NAMED, "more endpoint")} disabled`,
    text: "No events are delivered to them.", command: "txtrack webhook ls" });
  if (alerts.length) found.push(alertLine(alerts));
  return found.sort((one, other) => (other.tone === "bad") - (one.tone === "bad"));
}

// One line for all active alerts: the lines above it explain most of them.
function alertLine(alerts) {
  const kinds = [...new Set(alerts.map((one) => one.kind))];
  return { tone: alerts.some((one) => one.severity === "critical") ? "bad" : "warn",
    title: many(alerts.length, "active alert"), text: `${kinds.join(", ")}.`, command: "txtrack alerts --active" };
}

// Late deliveries: amber after a minute, red after five.
function lateAlarm({ detail, since }) {
  const [, flow, text] = /^deliveries are (behind|stalled): (.*)$/s.exec(detail) ?? [];
  return flow ? { tone: flow === "stalled" ? "bad" : "warn", title: `Deliveries are ${flow}`, since,
    text: `${text[0].toUpperCase()}${text.slice(1)}.`, command: "txtrack webhook ls" } : null;
}

// Why the source is halted or lagging: one line, with the block and the field.
function sourceAlarm({ detail, since }, tone) {
  const [, state, reason] = /^source (halted|lagging): (.*)$/s.exec(detail) ?? [];
  return state ? { tone, title: `Source ${state}`, since, text: reason, command: "txtrack doctor" } : null;
}

/** Show the alarms. */
export const alarmList = renderer(byId("alarms"), (found) =>
  found.map(({ tone, title, since, text: said, tried, next, command }) =>
    el("p", { class: "alarm", "data-tone": tone },
      el("strong", {}, title), since ? [" since ", moment(since)] : null, ". ", said,
      tried ? [" Last attempt: ", moment(tried), "."] : null, next ? [" Next attempt: ", moment(next), "."] : null,
      command ? [" ", el("code", {}, command)] : null)));

/** Show the figures. */
export const figures = renderer(byId("figures"), (seen) => cards(seen).map(card));

const FLOWS = {
  flowing: ["Flowing", "no delivery is late", "good"],
  behind: ["Behind", "oldest over a minute old", "warn"],
  stalled: ["Stalled", "oldest over 5 minutes old", "bad"],
  frozen: ["Frozen", "until resumed", "bad"],
};

function cards({ faults, providers, deliveries, gauges, endpoints: targets }) {
  const { states } = gauges;
  const open = Object.keys(OPEN).reduce((total, state) => total + (states[state] ?? 0), 0);
  const all = Object.values(states).reduce((total, one) => total + one, 0);
  const own = several() ? providers.filter((one) => one.name.startsWith(`${chosen()}.`)) : providers;
  const head = own.find((one) => one.state === "active")?.head ?? null;
  const late = gauges.head_lag_blocks;
  const dead = sum(targets, "dead");
  return [
    ["Service", faults.length ? "Not ready" : "Ready", faults.length ? "see above" : "all parts work", faults.length ? "bad" : "good"],
    head === null ? null : ["Head", count(head), heard(gauges.head_lag_seconds), null],
    late === undefined ? null : ["Lag", many(late, "block"), head === null ? heard(gauges.head_lag_seconds) : "behind the head", late > 3 ? "warn" : null],
    ["Open", count(open), `of ${count(all)} tracked`, null],
    ["Deliveries", ...FLOWS[deliveries.flow]],
    ["Outbox", count(deliveries.pending), waiting(deliveries), FLOWS[deliveries.flow][2] === "good" ? null : FLOWS[deliveries.flow][2]],
    targets === null ? null : ["Dead letters", count(dead), `from ${many(targets.length, "endpoint")}`, dead ? "warn" : null],
    ["Parked", count(gauges.parked ?? 0), gauges.parked ? "parked trackers" : "no parked trackers", gauges.parked ? "warn" : null],
  ].filter(Boolean);
}

const card = ([name, value, note, tone]) =>
  el("div", { class: "card", "data-tone": tone },
    el("dt", {}, name), el("dd", { class: "value" }, value), el("dd", { class: "quiet" }, note));

const heard = (seconds) =>
  seconds === undefined ? "no block received yet" : seconds < 2 ? "received just now" : `received ${span(seconds)} ago`;
const waiting = ({ pending, oldest_pending_at: oldest }) => {
  if (!pending) return "no pending deliveries";
  const age = oldest === null ? null : Math.max(0, (Date.now() - Date.parse(oldest)) / 1_000);
  return age === null ? "pending at disabled endpoints" : `pending, oldest ${span(age)}`;
};
const sum = (list, name) => (list ?? []).reduce((total, one) => total + one[name], 0);
const many = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

// -- Providers

/** Show the providers. */
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
    one.paused_until ? el("p", {}, "Paused until ", moment(new Date(one.paused_until * 1_000).toISOString())) : null,
    one.by_hand ? el("p", {}, "Paused by an operator") : null,
    one.last_error && !one.healthy ? el("p", { class: "foreign" }, one.last_error) : null);
}

const position = ({ head, lag }) =>
  head === null ? "Head unknown" : `Head ${count(head)}${lag ? `, ${many(lag, "block")} behind` : ""}`;
const speed = ({ latency_p50: half, latency_p95: most }) =>
  half === null ? null : `${latency(half)}, 95 % within ${latency(most)}`;
const failing = ({ error_rate: rate }, errors) =>
  errors.length
    ? `${(100 * rate).toFixed(rate && rate < 0.1 ? 1 : 0)} % failing; so far ${errors.map(([kind, number]) => `${count(number)} ${words(kind)}`).join(", ")}`
    : "no errors";
