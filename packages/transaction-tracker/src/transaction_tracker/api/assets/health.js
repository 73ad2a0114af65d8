// The health of the service, polled from the API.

import { many } from "./dom.js";
import { Refused, json, text } from "./requests.js";
import { seesAll } from "./session.js";
import { chosen } from "./sources.js";

const GAUGE = /^transaction_tracker_(\w+?)(?:\{(?:source="([a-z0-9-]+)",?)?(?:state="(\w+)")?\})? (\S+)$/gm;
// Counting the deliveries of all endpoints is slow.
const OUTBOX_MS = 30_000;

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

/** Return late deliveries as an alarm: amber after a minute, red after five. */
export function lateDeliveries({ flow, oldest_pending_at: oldest }) {
  return flow === "behind" || flow === "stalled" ? { tone: flow === "stalled" ? "bad" : "warn", title: `Deliveries are ${flow}`, since: oldest,
    text: "The oldest pending delivery has waited since then.", command: "txtrack webhook ls", page: "endpoints" } : null;
}

/** Return whether a note of readiness is about late deliveries, which have their own alarm. */
export const isLate = ({ detail }) => detail.startsWith("deliveries are ");

/** Return why the source is halted or lagging as an alarm, with the block and the field. */
export function sourceState({ detail, since }) {
  const [, name, state, reason] = /^(?:([a-z0-9-]+): )?source (halted|lagging): (.*)$/s.exec(detail) ?? [];
  // With several sources, a halted one is a note of a service that is ready.
  return state ? { tone: state === "halted" ? "bad" : "warn", title: `Source ${name ? `${name} ` : ""}${state}`, since,
    text: reason, command: "txtrack doctor", page: "providers" } : null;
}

/** Return an alert that no other alarm explains as an alarm: its text says what to do. */
export function namedAlert({ kind, subject, severity, text, since }) {
  return { tone: severity === "critical" ? "bad" : "warn", title: `${kind}: ${subject}`, since, text, page: kind === "provider.down" ? "providers" : "alerts" };
}

/** Return a line for all active alerts: the alarms explain most of them. */
export function activeAlerts(alerts) {
  const kinds = [...new Set(alerts.map((one) => one.kind))];
  return { tone: alerts.some((one) => one.severity === "critical") ? "bad" : "warn",
    title: many(alerts.length, "active alert"), text: `${kinds.join(", ")}.`, command: "txtrack alerts --active", page: "alerts" };
}
