// Telemetry events, counted while this page is open, and charts of calls and callbacks.

import { chart } from "./chart.js";
import { count, el, fill, latency, percent, rate, setText } from "./dom.js";
import { table } from "./table.js";

export const title = "Metrics";
export const view = "metrics";
export const query = () => ({ limit: 500 });

const CALL = "beamish.call.stop";
const CALLBACK = "beamish.callback.stop";
const MAX_SAMPLES = 300;
const CHARTS = [
  ["Calls per second", (sample) => sample.calls, rate],
  ["Call latency", (sample) => sample.latency, latency],
  ["Callbacks per second", (sample) => sample.callbacks, rate],
  ["Busy in callbacks", (sample) => sample.busy, percent],
];

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  const rows = table({
    caption: "Events by name and class",
    key: (row) => `${row.event} ${row.class_name}`,
    empty: "No event has occurred since this page was opened.",
    columns: [
      { title: "Event", class: "main", cell: (row) => row.event },
      { title: "Class", wide: true, cell: (row) => row.class_name },
      { title: "Count", number: true, cell: (row) => count(row.count) },
      { title: "Mean", number: true, cell: (row) => latency(row.total_seconds === null ? null : row.total_seconds / row.count) },
      { title: "Busy", number: true, cell: (row) => percent(row.busy) },
      { title: "Longest", number: true, wide: true, cell: (row) => latency(row.max_seconds) },
      { title: "Last values", wide: true, cell: (row) => Object.entries(row.last ?? {}).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(", ") },
    ],
  });
  const total = el("p", { class: "quiet", role: "status" });
  const charts = CHARTS.map(([name, value, format]) => ({ value, ...chart(name, format) }));
  fill(
    parent,
    el("h2", {}, "Metrics"),
    el("section", { "aria-label": "Charts", class: "charts" }, charts.map((one) => one.element)),
    total,
    rows.element,
    el("p", { class: "quiet" }, "Counted since this page was opened, when its charts begin. Busy: share of the time since the last refresh in callbacks of the class, waiting included. Calls and callbacks take longer while they are observed. For history and alerts, export metrics."),
  );
  let last = null;
  let samples = [];
  return (found) => {
    const now = { at: Date.now() / 1_000, rows: new Map(found.rows.map((row) => [`${row.event} ${row.class_name}`, row])) };
    const rowsNow = found.rows.map((row) => ({ ...row, busy: row.event === CALLBACK ? busy(row, last, now) : null }));
    if (last !== null) samples = [...samples, sample(last, now)].slice(-MAX_SAMPLES);
    last = now;
    setText(total, `${count(found.total)} kinds of events`);
    rows.show(rowsNow);
    for (const one of charts) one.show(samples.map((each) => [each.at, one.value(each)]));
  };
}

/** Return the share of the time since the last snapshot that a class spent in callbacks. */
function busy(row, last, now) {
  if (last === null) return null;
  const before = last.rows.get(`${row.event} ${row.class_name}`);
  return Math.max(0, row.total_seconds - (before?.total_seconds ?? 0)) / (now.at - last.at);
}

/** Return the figures of the time between two snapshots. */
function sample(last, now) {
  const seconds = now.at - last.at;
  const [calls, waited] = growth(CALL, last, now);
  const [callbacks, worked] = growth(CALLBACK, last, now);
  return { at: now.at, calls: calls / seconds, latency: calls ? waited / calls : null, callbacks: callbacks / seconds, busy: worked / seconds };
}

/** Return how many more events of a name there are, and their duration in seconds. */
function growth(event, last, now) {
  const sums = (found) => [...found.rows.values()].filter((row) => row.event === event)
    .reduce(([many, seconds], row) => [many + row.count, seconds + (row.total_seconds ?? 0)], [0, 0]);
  const [[before, spent], [after, total]] = [sums(last), sums(now)];
  // After a pause, the observer counts from 0 again.
  return after < before ? [0, 0] : [after - before, Math.max(0, total - spent)];
}
