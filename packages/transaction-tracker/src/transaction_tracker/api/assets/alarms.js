// What an operator must handle, the most severe first: what is wrong, since when, why, and what to
// press or to enter.

import * as actions from "./actions.js";
import { ago, byId, el, many, moment, renderer } from "./dom.js";
import { activeAlerts, isLate, lateDeliveries, namedAlert, sourceState, sum } from "./health.js";
import { current, link } from "./route.js";
import { can, seesAll } from "./session.js";

// Further failing or disabled endpoints, and further alerts, are only counted.
const MAX_NAMED = 3;
// Alerts about what has no alarm of its own.
const NAMED_ALERTS = ["provider.down", "disk.low"];

/** Return the alarms, the most severe first. */
export function alarms(seen) {
  const found = [...deliveryAlarms(seen), ...sourceAlarms(seen), ...parkedAlarms(seen), ...endpointAlarms(seen)];
  found.push(...seen.alerts.filter(({ kind }) => NAMED_ALERTS.includes(kind)).slice(0, MAX_NAMED).map(namedAlert));
  if (seen.alerts.length) found.push(activeAlerts(seen.alerts));
  return found.sort((one, other) => (other.tone === "bad") - (one.tone === "bad"));
}

function deliveryAlarms({ frozen, deliveries }) {
  const sources = deliveries.frozen_sources;
  const which = sources.length ? `No event of ${sources.join(", ")}` : "No event";
  return [frozen ? { tone: "bad", title: "Deliveries are frozen", since: frozen, act: ["resumeDeliveries"],
    text: `A reorganisation removed a final block. ${which} is delivered until an operator resumes deliveries.`,
    page: "transactions", params: { flag: "finality_violation" } } : null, lateDeliveries(deliveries)].filter(Boolean);
}

function sourceAlarms({ faults, notes, providers }) {
  const found = faults.map((fault) => sourceState(fault) ?? { tone: "bad", title: "Not ready", text: fault.detail });
  for (const note of notes) if (!isLate(note)) found.push(sourceState(note) ?? { tone: "warn", title: "Warning", text: note.detail });
  if (providers.length && !providers.some((one) => one.healthy)) found.push({ tone: "bad", title: "No provider is healthy",
    text: "States do not change until a provider is healthy.", page: "providers",
    act: ["checkProviders", providers.map((one) => one.name)] });
  return found;
}

function parkedAlarms({ gauges }) {
  return gauges.parked ? [{ tone: "warn", title: `${many(gauges.parked, "tracker")} parked`,
    text: "They crashed too often, or no provider sends their transactions in a readable form. Open each and recheck it.",
    page: "transactions", params: { attention: "true" }, command: "txtrack recheck ID" }] : [];
}

function endpointAlarms({ endpoints, frozen }) {
  const found = [];
  const dead = sum(endpoints, "dead");
  const named = (endpoints ?? []).filter((one) => one.dead);
  if (dead) found.push({ tone: "warn", title: many(dead, "dead letter"), page: "endpoints", params: { endpoint: named[0].id },
    text: "These events will not be retried. Redeliver them once their receiver works.", command: `txtrack webhook redeliver ${named[0].id}` });
  const failing = (endpoints ?? []).filter((one) => one.health === "failing");
  for (const one of failing.slice(0, MAX_NAMED)) found.push({ tone: "warn", title: `Endpoint ${host(one)} is failing`,
    since: one.failing_since, text: `Last error: ${one.last_error ?? "unknown"}.`, tried: one.last_attempt_at, next: frozen ? null : one.next_attempt_at,
    page: "endpoints", params: { endpoint: one.id }, command: `txtrack webhook attempts ${one.id}` });
  if (failing.length > MAX_NAMED) found.push({ tone: "warn", title: `${many(failing.length - MAX_NAMED, "more endpoint")} failing`,
    text: "Their events wait.", page: "endpoints", command: "txtrack webhook ls" });
  const disabled = (endpoints ?? []).filter((one) => one.health === "disabled");
  for (const one of disabled.slice(0, MAX_NAMED)) found.push({ tone: "warn", title: `Endpoint ${host(one)} is disabled`,
    text: one.disabled_reason ?? "No events are delivered to it.", act: ["enable", one.id], page: "endpoints", params: { endpoint: one.id } });
  if (disabled.length > MAX_NAMED) found.push({ tone: "warn", title: `${many(disabled.length - MAX_NAMED, "more endpoint")} disabled`,
    text: "No events are delivered to them.", page: "endpoints", command: "txtrack webhook ls" });
  return found;
}

// The host tells an operator whose endpoint it is; the rest of the URL can be secret.
function host({ id, url }) {
  return URL.canParse(url) ? `${id} at ${new URL(url).host}` : id;
}

// Not announced: a screen reader would read the alarm again with each new age.
const age = (since) => el("span", { "aria-live": "off" }, " (", ago(since), ")");

const NAMES = { endpoints: "Show endpoints", providers: "Show providers", transactions: "Show transactions", alerts: "Show alerts" };

const draw = renderer(byId("alarms"), ([found, hidden]) => [
  ...found.map(alarm),
  hidden ? el("p", {}, el("a", { href: "#overview" }, `${hidden} more on the overview`)) : null,
]);

/** Show the alarms: all on the overview, and the most severe one on the other pages. */
export function show(found) {
  const shown = current().page === "overview" ? found : found.slice(0, 1);
  // Drawn again when what the token allows has changed.
  draw([shown, found.length - shown.length, can("admin"), can("write"), seesAll()]);
}

function alarm({ tone, title, since, text, tried, next, command, act, page, params = {} }) {
  const ways = [
    act ? actions[act[0]](act[1]) : null,
    page && (page !== "endpoints" || seesAll()) ? el("a", { href: link(page, { info: null, endpoint: null, ...params }) }, NAMES[page]) : null,
    command ? el("code", {}, command) : null,
  ].filter(Boolean);
  return el("div", { class: "alarm", "data-tone": tone },
    el("strong", {}, title), since ? [" since ", moment(since), age(since)] : null, ". ", el("span", { class: "foreign" }, text),
    tried ? [" Last attempt: ", moment(tried), "."] : null, next ? [" Next attempt: ", moment(next), "."] : null,
    ways.length ? el("div", { class: "line" }, ways) : null);
}
