// What an operator must handle, the most severe first: what is wrong, since when, why, and what to
// press or to enter.

import * as actions from "./actions.js";
import { ago, byId, el, many, moment, renderer } from "./dom.js";
import { activeAlerts, isLate, lateDeliveries, namedAlert, sourceState } from "./health.js";
import { current, link } from "./route.js";
import { can, seesAll } from "./session.js";

// Further failing or disabled endpoints, and further alerts, are only counted.
const MAX_NAMED = 3;
// Alerts about what has no alarm of its own.
const NAMED_ALERTS = ["provider.down", "disk.low"];
const ORDER = ["bad", "warn", "quiet"];

/** Return the alarms, the most severe first. */
export function alarms(seen) {
  const found = [...frozenAlarm(seen), ...sourceAlarms(seen), ...lateAlarm(seen), ...parkedAlarms(seen), ...endpointAlarms(seen)];
  found.push(...seen.alerts.filter(({ kind }) => NAMED_ALERTS.includes(kind)).slice(0, MAX_NAMED).map(namedAlert));
  if (seen.alerts.length) found.push(activeAlerts(seen.alerts));
  return found.sort((one, other) => ORDER.indexOf(one.tone) - ORDER.indexOf(other.tone));
}

function frozenAlarm({ frozen, deliveries }) {
  const sources = deliveries.frozen_sources;
  const which = sources.length ? `No event of ${sources.join(", ")}` : "No event";
  return frozen ? [{ tone: "bad", title: "Deliveries are frozen", since: frozen, act: ["resumeDeliveries"],
    text: `A reorganisation removed a final block. ${which} is delivered until an operator resumes deliveries.`,
    page: "transactions", params: { flag: "finality_violation" } }] : [];
}

function lateAlarm({ deliveries, endpoints }) {
  const failing = (endpoints ?? []).filter((one) => one.health === "failing");
  return [lateDeliveries(deliveries, [...new Set(failing.map(host))])].filter(Boolean);
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
  return gauges.parked ? [{ tone: "warn", title: gauges.parked === 1 ? "1 transaction is parked" : `${many(gauges.parked, "transaction")} are parked`,
    text: "Open and recheck: the tracker crashed too often, or no provider sends readable data.",
    page: "transactions", params: { attention: "true" }, command: "txtrack recheck ID" }] : [];
}

function endpointAlarms({ endpoints, frozen }) {
  const of = (wanted) => (endpoints ?? []).filter(wanted);
  return [
    ...named(of((one) => one.dead), deadLetters, "with dead letters", "Their events are not retried."),
    ...named(of((one) => one.health === "failing"), (one) => failing(one, frozen), "failing", "Their events wait."),
    ...named(of((one) => one.health === "disabled"), disabled, "disabled", "No events are delivered to them."),
  ];
}

/** Return an alarm for each of the first endpoints, and one for the number of the others. */
function named(endpoints, make, what, text) {
  const place = { page: "endpoints", tone: "warn" };
  const found = endpoints.slice(0, MAX_NAMED).map((one) => ({ ...place, params: { endpoint: one.id }, ...make(one) }));
  const more = endpoints.length - found.length;
  return more ? [...found, { ...place, title: `${many(more, "more endpoint")} ${what}`, text, command: "txtrack webhook ls" }] : found;
}

const deadLetters = (one) => ({ title: `${many(one.dead, "dead letter")} of ${host(one)}`, act: ["redeliver", one.id],
  text: "The service does not retry them: redeliver them once the receiver works." });

const failing = (one, frozen) => ({ title: `Endpoint ${host(one)} is failing`, since: one.failing_since,
  text: `Last error: ${one.last_error ?? "unknown"}.`, tried: one.last_attempt_at, next: frozen ? null : one.next_attempt_at,
  act: ["testEndpoint", one.id], command: `txtrack webhook attempts ${one.id}` });

const disabled = (one) => ({ title: `Endpoint ${host(one)} is disabled`, act: ["enable", one.id],
  text: one.disabled_reason ? `Reason: ${one.disabled_reason}` : "No events are delivered to it." });

// The host tells an operator whose endpoint it is; the rest of the URL can be secret.
function host({ id, url }) {
  return URL.canParse(url) ? new URL(url).host : id;
}

// Reasons from the service begin with a small letter; a name or a number keeps its own.
const sentence = (text) => text.replace(/^[a-z]+(?= )/, (word) => word[0].toUpperCase() + word.slice(1));

// Not announced: a screen reader would read the alarm again with each new age.
const age = (since) => el("span", { "aria-live": "off" }, " (", ago(since), ")");

const NAMES = { endpoints: "Show endpoints", providers: "Show providers", transactions: "Show transactions", alerts: "Show alerts" };

const draw = renderer(byId("alarms"), ([found, hidden]) => [
  ...found.map(alarm),
  hidden ? el("p", {}, el("a", { href: "#overview" }, `${hidden} more on the overview`)) : null,
]);

/** Show the alarms: all on the overview; on another page its own, otherwise the most severe one. */
export function show(found) {
  const { page } = current();
  const own = page === "overview" ? found : found.filter((one) => one.page === page);
  const shown = own.length ? own : found.slice(0, 1);
  // Drawn again when what the token allows has changed.
  draw([shown, found.length - shown.length, page, can("admin"), can("write"), seesAll()]);
}

function alarm({ tone, title, since, text, tried, next, command, act, page, params = {} }) {
  const target = { info: null, endpoint: null, ...params };
  const way = act ? actions[act[0]](...act.slice(1)) : null;
  const leads = page && (page !== current().page || Object.keys(params).length);
  const ways = [
    way,
    leads && (page !== "endpoints" || seesAll()) ? el("a", { href: link(page, target) }, params.endpoint ? "Show endpoint" : NAMES[page]) : null,
    // A button does the same, and leaves room for the next alarm.
    command && way?.localName !== "button" ? el("code", {}, command) : null,
  ].filter(Boolean);
  return el("div", { class: "alarm", "data-tone": tone },
    el("p", {}, el("strong", {}, title), since ? [" since ", moment(since), age(since)] : null, ". ", el("span", { class: "foreign" }, sentence(text)),
      tried ? [" Last attempt: ", moment(tried), "."] : null, next ? [" Next attempt: ", moment(next), "."] : null),
    ways.length ? el("div", { class: "line" }, ways) : null);
}
