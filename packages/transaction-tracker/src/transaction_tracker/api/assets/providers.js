// The source and its providers: heads, latency and errors, now and over time.

import * as actions from "./actions.js";
import { providerCharts, samples, spanChoice } from "./charts.js";
import { badge, count, el, fill, latency, many, moment, percent, words } from "./dom.js";
import { holdsBack } from "./health.js";
import { can } from "./session.js";
import { own } from "./sources.js";
import { table } from "./table.js";

const TONES = { active: "good", healthy: "good", paused: "warn", refused: "bad" };
const ERRORS = {
  transport: "connection errors",
  rate_limit: "rate limited",
  server: "server errors",
  malformed: "malformed",
  not_yet: "not yet available",
  application: "rejected",
};

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
      { title: "State", class: "states", cell: state },
      { title: "Provider", class: "foreign", cell: (one) => one.name },
      { title: "Head", number: true, wide: true, cell: (one) => (one.head === null ? "unknown" : count(one.head)) },
      { title: "Lag", number: true, wide: true, cell: (one) => (one.lag === null ? "–" : many(one.lag, "block")) },
      { title: "Median latency", number: true, wide: true, cell: (one) => latency(one.latency_p50) },
      { title: "95 % within", number: true, wide: true, cell: (one) => latency(one.latency_p95) },
      { title: "Failed", number: true, cell: (one) => percent(one.error_rate) },
      { title: "Failed requests so far", class: "reason", wide: true, cell: errors },
      ...(can("admin") ? [{ title: "Actions", class: "acts", cell: buttons }] : []),
    ],
  });
  rows.element.id = "provider-list";
  fill(parent,
    el("h2", {}, "Providers"), rows.element,
    el("p", { class: "quiet" }, "Latency and failed requests are those of the last requests of each.",
      can("admin") ? null : [" To act: ", el("code", {}, "txtrack provider check|pause|resume NAME"), "."]),
    el("div", { class: "heading" }, el("h2", {}, "Charts"), spanChoice()),
    pictures.element);
  return {
    load: samples,
    show: pictures.show,
    health: (seen) => rows.show(own(seen.providers).map((one) => ({ ...one, holdsBack: holdsBack(one, seen) }))),
  };
}

function state(one) {
  return el("span", {}, badge(one.by_hand ? "paused by an operator" : words(one.state), TONES[one.state]),
    one.chain === "other" ? el("span", { class: "flag", "data-tone": "bad" }, "on another branch") : null,
    one.holdsBack ? el("span", { class: "flag", "data-tone": "bad" }, "holds an end back") : null);
}

function errors(one) {
  const kinds = Object.entries(one.errors).filter(([, number]) => number > 0).map(([kind, number]) => `${count(number)} ${ERRORS[kind] ?? words(kind)}`);
  const doubtful = !one.healthy || one.chain === "other" || one.holdsBack;
  return el("span", {}, kinds.join(", ") || "none",
    one.last_error && doubtful ? el("span", { class: "foreign" }, `; last: ${one.last_error}`) : null,
    one.paused_until ? ["; checked again ", moment(one.paused_until)] : null);
}

const buttons = (one) =>
  el("span", {}, actions.checkProvider(one.name), one.paused ? actions.resumeProvider(one.name) : actions.pauseProvider(one.name));
