// The figures at the top of the overview.

import { count, el, many, renderer, span } from "./dom.js";
import { sum } from "./health.js";
import { chosen, own, several } from "./sources.js";
import { OPEN } from "./states.js";

const FLOWS = {
  flowing: ["Flowing", "no delivery is late", "good"],
  behind: ["Behind", "oldest over a minute old", "warn"],
  stalled: ["Stalled", "oldest over 5 minutes old", "bad"],
  frozen: ["Frozen", "until resumed", "bad"],
};

/** Return the figures as `{element, show(seen)}`. */
export function figures() {
  const element = el("dl", { id: "figures" });
  const draw = renderer(element, ([seen]) => cards(seen).map(card));
  // Drawn again after another choice of the source.
  return { element, show: (seen) => draw([seen, chosen()]) };
}

function cards({ faults, providers, deliveries, gauges, endpoints }) {
  const { states } = gauges;
  const open = Object.keys(OPEN).reduce((total, state) => total + (states[state] ?? 0), 0);
  const all = Object.values(states).reduce((total, one) => total + one, 0);
  // With every provider dead, a lag of 0 blocks only says that nobody tells of new ones.
  const asked = own(providers);
  const alive = !asked.length || asked.some((one) => one.healthy);
  // The heads of several sources have nothing in common.
  const head = several() && !chosen() ? null : (asked.find((one) => one.state === "active")?.head ?? null);
  const late = alive ? gauges.head_lag_blocks : undefined;
  const dead = sum(endpoints, "dead");
  const flow = FLOWS[deliveries.flow];
  const failing = deliveries.failing_endpoints;
  return [
    ["Service", faults.length ? "Not ready" : "Ready", faults.length ? "see above" : "all parts work", faults.length ? "bad" : "good"],
    ["Open", count(open), `of ${count(all)} tracked`, null, "transactions"],
    ["Parked", count(gauges.parked ?? 0), gauges.parked ? "need a recheck" : "no parked trackers", gauges.parked ? "warn" : null, "transactions?attention=true"],
    head === null ? null : ["Head", count(head), heard(gauges.head_lag_seconds), null, "providers"],
    late === undefined ? null : ["Lag", many(late, "block"), head === null ? heard(gauges.head_lag_seconds) : "behind the head", late > 3 ? "warn" : null, "providers"],
    ["Deliveries", ...(failing && flow[2] === "good" ? ["Failing", `${many(failing, "endpoint")} failing`, "warn"] : flow), endpoints && "endpoints"],
    ["Outbox", count(deliveries.pending), waiting(deliveries), flow[2] === "good" ? null : flow[2], endpoints && "endpoints"],
    endpoints === null ? null : ["Dead letters", count(dead), `from ${many(endpoints.length, "endpoint")}`, dead ? "warn" : null, "endpoints"],
  ].filter(Boolean);
}

const card = ([name, value, note, tone, page]) =>
  el("div", { class: "card", "data-tone": tone },
    el("dt", {}, name), el("dd", { class: "value" }, page ? el("a", { href: `#${page}` }, value) : value), el("dd", { class: "quiet" }, note));

const heard = (seconds) =>
  seconds === undefined ? "no block received yet" : seconds < 2 ? "received just now" : `received ${span(seconds)} ago`;
const waiting = ({ pending, flow, oldest_pending_at: oldest }) => {
  if (!pending) return "no pending deliveries";
  if (flow === "frozen") return "pending, until resumed";
  const age = oldest === null ? null : Math.max(0, (Date.now() - Date.parse(oldest)) / 1_000);
  return age === null ? "pending at disabled endpoints" : `pending, oldest ${span(age)}`;
};
