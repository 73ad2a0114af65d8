// The drawer of one endpoint: its state, its last attempts, and its dead letters.

import * as actions from "./actions.js";
import { badge, count, el, latency, moment, words } from "./dom.js";
import { healthBadge } from "./endpoints.js";
import { facts } from "./parts.js";
import { json } from "./requests.js";
import { link } from "./route.js";
import { stateBadge } from "./states.js";

const SHOWN = 50;

/** Request everything about an endpoint. */
export async function load(id, signal) {
  const path = `v1/endpoints/${encodeURIComponent(id)}`;
  const [endpoint, { attempts }, { dead_letters: letters, next }] = await Promise.all([
    json(path, signal),
    json(`${path}/attempts?limit=${SHOWN}`, signal),
    json(`${path}/dead-letters?limit=${SHOWN}`, signal),
  ]);
  return { endpoint, attempts, letters, more: next !== null };
}

/** Return what the drawer shows. */
export function content({ endpoint, attempts, letters, more }) {
  const { id } = endpoint;
  return [
    el("p", { class: "foreign" }, endpoint.url),
    el("div", { class: "line" }, healthBadge(endpoint.health), el("span", { class: "id" }, id), actions.copyButton(id, "the id")),
    el("div", { class: "line" }, actions.testEndpoint(id), endpoint.enabled ? actions.disable(id) : actions.enable(id), endpoint.dead ? actions.redeliver(id) : null),
    facts([
      ["Failing since", endpoint.failing_since && moment(endpoint.failing_since)],
      ["Last error", endpoint.last_error],
      ["Last attempt", endpoint.last_attempt_at && moment(endpoint.last_attempt_at)],
      ["Next attempt", endpoint.next_attempt_at && moment(endpoint.next_attempt_at)],
      ["Disabled because", endpoint.disabled_reason],
      ["Pending", count(endpoint.pending)],
      ["Dead letters", count(endpoint.dead)],
      ["States", endpoint.states === null ? "all" : endpoint.states.map(words).join(", ") || "none"],
      ["Alerts", endpoint.alerts.join(", ") || "none"],
      ["Created", moment(endpoint.created_at)],
    ].map(([name, value]) => [name, value || null])),
    letters.length ? el("section", {}, el("h3", {}, more ? `The first ${count(letters.length)} dead letters` : "Dead letters"),
      el("ol", { class: "events" }, letters.map((letter) => deadLetter(id, letter)))) : null,
    el("h3", {}, "Last attempts"),
    attempts.length ? el("ol", { class: "events" }, attempts.map(attempt)) : el("p", { class: "quiet" }, "No attempts yet."),
  ];
}

const deadLetter = (id, { event, attempts, error }) =>
  el("li", {},
    el("div", { class: "line" }, stateBadge(event.state), el("span", { class: "quiet" }, `${count(attempts)} attempts`),
      el("span", { class: "end" }, actions.redeliver(id, event.cursor))),
    el("a", { class: "id foreign", href: link("endpoints", { info: event.transaction, endpoint: null }) }, event.transaction),
    error ? el("p", { class: "foreign" }, error) : null);

const attempt = (one) =>
  el("li", {},
    el("div", { class: "line" }, badge(words(one.outcome), one.outcome === "delivered" ? "good" : "bad"),
      one.status ? el("span", {}, `status ${one.status}`) : null, el("span", { class: "quiet" }, `attempt ${count(one.number)}, ${latency(one.seconds)}`),
      el("span", { class: "quiet end" }, moment(one.ended_at))),
    one.error ? el("p", { class: "foreign" }, one.error) : null,
    one.answer ? el("pre", { tabindex: "0", "aria-label": "Response" }, one.answer) : null);
