// Charts of the figures that the service keeps: ten minutes, or a day.

import { chart } from "./chart.js";
import { count, el, fill, latency, rate, span } from "./dom.js";
import { choice } from "./parts.js";
import { json } from "./requests.js";
import { current } from "./route.js";

const perMinute = (value) => `${rate(value)}\u00a0/min`;
const age = (value) => span(value);

const CHARTS = [
  ["Registrations", (sample) => sample.registrations_per_minute, perMinute],
  ["Transitions", (sample) => sample.transitions_per_minute, perMinute],
  ["Open transactions", (sample) => sample.open, count],
  ["Detection latency", (sample) => sample.detection_seconds, latency],
  ["Lag behind the head", (sample) => sample.head_lag_blocks, (value) => `${count(value)} blocks`],
  ["Age of the head", (sample) => sample.head_age_seconds, age],
  ["Requests per block", (sample) => sample.requests_per_block, rate],
  ["Delivered events", (sample) => sample.delivered_per_minute, perMinute],
  ["Failed attempts", (sample) => sample.failed_per_minute, perMinute],
  ["Delivery latency", (sample) => sample.delivery_seconds, latency],
  ["Pending deliveries", (sample) => sample.pending, count],
  ["Oldest pending delivery", (sample) => sample.oldest_pending_seconds, age],
];

/** Return the choice of the time that charts show. */
export const spanChoice = () => choice("span", "Time of the charts", [["10m", "10 minutes"], ["1d", "1 day"]], "10m");

/** Request the samples of the chosen time. */
export const samples = async (signal) =>
  (await json(`v1/history?${new URLSearchParams({ span: current().params.get("span") === "1d" ? "1d" : "10m" })}`, signal)).samples;

/** Return the charts of the service as `{element, show(samples)}`. */
export function charts() {
  const made = CHARTS.map(([name, value, format]) => ({ value, ...chart(name, format) }));
  return {
    element: el("section", { "aria-label": "Charts", class: "charts" }, made.map((one) => one.element)),
    show: (found) => {
      for (const one of made) one.show(found.map((sample) => [sample.at, one.value(sample)]));
    },
  };
}

/** Return charts of the latency and errors of each provider as `{element, show(samples)}`. */
export function providerCharts() {
  const element = el("section", { "aria-label": "Charts of the providers", class: "charts" });
  const known = new Map();
  return {
    element,
    show: (found) => {
      const names = new Set(found.flatMap((sample) => Object.keys(sample.providers)));
      for (const name of names) if (!known.has(name)) known.set(name, pair(name));
      const made = [...known.values()].flatMap(([first, second]) => [first.element, second.element]);
      if (made.length !== element.children.length) fill(element, made);
      for (const [name, [slow, bad]] of known) {
        const of = (sample) => sample.providers[name];
        slow.show(found.map((sample) => [sample.at, of(sample)?.latency_seconds ?? null]));
        bad.show(found.map((sample) => [sample.at, of(sample)?.errors_per_minute ?? 0]));
      }
    },
  };
}

const pair = (name) => [chart(`Latency of ${name}`, latency), chart(`Errors of ${name}`, perMinute)];
