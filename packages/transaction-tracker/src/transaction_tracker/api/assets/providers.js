// The source and its providers: heads, latency and errors, now and over time.

import * as actions from "./actions.js";
import { providerCharts, samples, spanChoice } from "./charts.js";
import { badge, count, el, fill, latency, many, moment, percent, words } from "./dom.js";
import { can } from "./session.js";
import { own } from "./sources.js";
import { table } from "./table.js";

const TONES = { active: "good", healthy: "good", paused: "warn", refused: "bad" };

export const title = "Providers";
export const everyMs = 5_000;

/** Build the page in `parent`; return what loads and shows its data. */
export function build(parent) {
  const pictures = providerCharts();
  const rows = table({
    caption: "Providers, in the order of the configuration",
    key: (one) => one.name,
    empty: "This source has no providers.",
    columns: [
      { title: "State", cell: (one) => badge(one.by_hand ? "paused by an operator" : words(one.state), TONES[one.state]) },
      { title: "Provider", class: "foreign", cell: (one) => one.name },
      { title: "Head", number: true, wide: true, cell: (one) => (one.head === null ? "unknown" : count(one.head)) },
      { title: "Lag", number: true, wide: true, cell: (one) => (one.lag === null ? "–" : many(one.lag, "block")) },
      { title: "Median", number: true, wide: true, cell: (one) => latency(one.latency_p50) },
      { title: "95 %", number: true, wide: true, cell: (one) => latency(one.latency_p95) },
      { title: "Failing", number: true, cell: (one) => percent(one.error_rate) },
      { title: "Errors so far", class: "reason", wide: true, cell: errors },
      { title: "Actions", class: "acts", cell: buttons },
    ],
  });
  rows.element.id = "provider-list";
  fill(parent,
    el("h2", {}, "Providers"), rows.element,
    el("div", { class: "heading" }, el("h2", {}, "Charts"), spanChoice()),
    pictures.element);
  return {
    load: samples,
    show: pictures.show,
    health: ({ providers }) => rows.show(own(providers)),
  };
}

function errors(one) {
  const kinds = Object.entries(one.errors).filter(([, number]) => number > 0).map(([kind, number]) => `${count(number)} ${words(kind)}`);
  return el("span", {}, kinds.join(", ") || "none",
    one.last_error && !one.healthy ? el("span", { class: "foreign" }, `; last: ${one.last_error}`) : null,
    one.paused_until ? ["; checked again ", moment(one.paused_until)] : null);
}

function buttons(one) {
  if (!can("admin")) return el("span", { class: "quiet" }, "–");
  return el("span", {}, actions.checkProvider(one.name), one.paused ? actions.resumeProvider(one.name) : actions.pauseProvider(one.name));
}
