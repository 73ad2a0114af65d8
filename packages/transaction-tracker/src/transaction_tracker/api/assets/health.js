// The health of the service, polled from the API.

import { many } from "./dom.js";
import { Refused, json, text } from "./requests.js";
import { seesAll } from "./session.js";
import { chosen } from "./sources.js";

const GAUGE = /^transaction_tracker_(\w+?)(?:\{(?:source="([a-z0-9-]+)",?)?(?:state="(\w+)")?\})? (\S+)$/gm;
// Counting the deliveries of all endpoints is slow.
const OUTBOX_MS = 30_000;
// Further failing hosts are only counted.
const MAX_HOSTS = 3;

let endpoints = { at: -Infinity, found: null };

/** Request the health data. */
export async function look(signal) {
  const [deliveries, { faults, notes }, { providers }, gauges, targets, { alerts }] = await Promise.all([
    json("v1/deliveries", signal),
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
  if (!seesAll()) return null;
  if (Date.now() - endpoints.at < OUTBOX_MS) return endpoints.found;
  endpoints = { at: Date.now(), found: endpoints.found };
  endpoints.found = (await json("v1/endpoints", signal)).endpoints;
  return endpoints.found;
}

/** Request the endpoints again at the next look, such as after an action. */
export function refresh() {
  endpoints.at = -Infinity;
}

/** Clear the data that the last token could read. */
export function forget() {
  endpoints = { at: -Infinity, found: null };
}

/** Return the sum of a figure of all endpoints. */
export const sum = (list, name) => (list ?? []).reduce((total, one) => total + one[name], 0);

// -- Alarms of several parts

/** Return late deliveries as an alarm, with the failing hosts: amber after a minute, red after five. */
export function lateDeliveries({ flow, oldest_pending_at: oldest }, failing) {
  const more = failing.length > MAX_HOSTS ? ` and ${failing.length - MAX_HOSTS} more` : "";
  const text = failing.length ? `Failing: ${failing.slice(0, MAX_HOSTS).join(", ")}${more}.` : "The oldest pending delivery has waited since then.";
  return flow === "behind" || flow === "stalled" ? { tone: flow === "stalled" ? "bad" : "warn", title: `Deliveries are ${flow}`, since: oldest,
    text, command: "txtrack webhook ls", page: "endpoints" } : null;
}

/** Return whether a note of readiness is about late deliveries, which have their own alarm. */
export const isLate = ({ detail }) => detail.startsWith("deliveries are ");

// Not which one is wrong: the followed one can be, too, and without the right one an end can be false.
const COMPARE = "Compare the providers with a block explorer, and pause one that is wrong or does not answer.";

/** Return why the source is halted or lagging as an alarm, with the block and the field. */
export function sourceState({ detail, since }) {
  const { name, state, reason, objection } = sourceReason(detail);
  // With several sources, a halted one is a note of a service that is ready.
  return state ? { tone: state === "halted" ? "bad" : "warn", title: `Source ${name ? `${name} ` : ""}${state}`, since,
    text: objection ? `${reason}. ${COMPARE}` : reason, command: objection ? "txtrack provider pause NAME" : "txtrack doctor", page: "providers" } : null;
}

function sourceReason(detail) {
  const [, name, state, reason] = /^(?:([a-z0-9-]+): )?source (halted|lagging): (.*)$/s.exec(detail) ?? [];
  const [, objection] = / is held back: (.*)$/s.exec(reason ?? "") ?? [];
  return { name, state, reason, objection };
}

/** Return whether the reason of an end that is held back names a provider, whatever it says of it. */
export const holdsBack = ({ name }, { faults, notes }) =>
  [...faults, ...notes].some(({ detail }) => {
    const { name: source, objection } = sourceReason(detail);
    const own = source && name.startsWith(`${source}.`) ? name.slice(source.length + 1) : name;
    return objection?.split(/\s+/).some((word) => word.replace(/[,;:.]+$/, "") === own) ?? false;
  });

// -- Alerts

const TITLES = { "disk.low": () => "The disk is nearly full", "provider.down": (name) => `Provider ${name} is down` };
const PAGES = { "provider.down": { page: "providers", command: "txtrack provider check" }, "disk.low": { page: "alerts", command: "txtrack prune" } };

/** Return an alert that no other alarm explains as an alarm: its text says what to do. */
export function namedAlert({ kind, subject, severity, text, since }) {
  return { tone: severity === "critical" ? "bad" : "warn", title: TITLES[kind](subject), since, text, ...PAGES[kind] };
}

/** Return a line for all active alerts: the alarms explain them. */
export function activeAlerts(alerts) {
  const kinds = [...new Set(alerts.map((one) => one.kind))];
  return { tone: "quiet", title: many(alerts.length, "active alert"), text: `${kinds.join(", ")}.`, command: "txtrack alerts --active", page: "alerts" };
}
