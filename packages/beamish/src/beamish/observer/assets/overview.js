// The overview: figures, charts of the last ten minutes, and the classes.

import { json } from "./requests.js";
import { chart } from "./chart.js";
import { bytes, count, el, fill, latency, moment, percent, rate, renderer, span } from "./dom.js";
import { facts } from "./parts.js";
import { link } from "./route.js";
import { table } from "./table.js";

const MAX_SAMPLES = 300;

export const title = "Overview";
export const view = "overview";
export const query = () => ({});

const CHARTS = [
  ["Processes", (sample) => sample.processes, count],
  ["Messages handled per second", (sample) => sample.handled, rate],
  ["Messages queued", (sample) => sample.queued, count],
  ["Event loop delay", (sample) => sample.lag_seconds, latency, true],
  ["Event loop busy", (sample) => sample.busy, percent],
  ["Memory", (sample) => sample.rss_bytes, bytes],
  ["Crashes per 2 s", (sample) => sample.crashes, count],
  ["Restarts per 2 s", (sample) => sample.restarts, count],
];

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent, signal) {
  const figures = el("dl", { id: "figures" });
  const charts = CHARTS.map(([name, value, format, quantiles]) => ({ value, ...chart(name, format, quantiles) }));
  const classes = table({
    caption: "Classes with most processes",
    key: (row) => row.class_name,
    empty: "There are no processes.",
    columns: [
      { title: "Class", class: "main", cell: (row) => el("a", { href: link("processes", { search: row.class_name, info: null }) }, row.class_name) },
      { title: "Processes", number: true, cell: (row) => count(row.processes) },
      { title: "Queued", number: true, cell: (row) => count(row.queued) },
      { title: "Longest queue", number: true, cell: (row) => count(row.longest) },
    ],
  });
  const program = el("div");
  fill(
    parent,
    el("section", { "aria-label": "Figures" }, figures),
    el("section", { "aria-label": "Charts", class: "charts" }, charts.map((one) => one.element)),
    el("p", { class: "quiet" }, "Messages are counted only while an overview is open: their charts begin then, and have gaps for the times between."),
    el("div", { class: "columns" },
      el("section", { "aria-labelledby": "classes-title" }, el("h2", { id: "classes-title" }, "Classes"), classes.element),
      el("section", { "aria-labelledby": "program-title" }, el("h2", { id: "program-title" }, "Program"), program)),
  );
  const showFigures = renderer(figures, cards);
  const showProgram = renderer(program, programFacts);
  let samples = [];

  function draw() {
    for (const one of charts) one.show(samples.map((sample) => [sample.at, one.value(sample)]));
  }

  // The kept samples, then those that arrive with snapshots.
  json("api/history", signal).then(
    (found) => {
      samples = found.samples;
      draw();
    },
    () => {}, // the stream fails for the same reason, and says so
  );

  return (found) => {
    showFigures(found);
    showProgram([found.versions, found.recording_since, found.oldest_started_at, found.collections, found.actions]);
    classes.show(found.classes);
    if (found.sample && found.sample.at !== samples.at(-1)?.at) {
      samples = [...samples, found.sample].slice(-MAX_SAMPLES);
      draw();
    }
  };
}

function cards(found) {
  return [
    ["Processes", count(found.processes), "processes"],
    ["Supervisors", count(found.supervisors), "supervisors"],
    ["Local names", count(found.names)],
    ["Messages queued", count(found.queued), "processes?sort=queue"],
    ["Crashes", count(found.crashes), "crashes", found.crashes ? "bad" : null],
    ["Restarts", count(found.restarts), "supervisors", found.restarts ? "warn" : null],
    ["Memory", bytes(found.rss_bytes)],
    ["Oldest process", found.oldest_started_at === null ? "–" : span(found.now - found.oldest_started_at)],
  ].map(([term, value, page, tone]) =>
    el("div", { class: "card" },
      el("dt", {}, term),
      el("dd", { class: "value", "data-tone": tone }, page ? el("a", { href: `#${page}` }, value) : value)),
  );
}

function programFacts([versions, since, oldest, collections, actions]) {
  return facts([
    ["Python", versions.python],
    ["beamish", versions.beamish],
    ["Event loop", versions.loop],
    ["System", versions.platform],
    ["OS process", String(versions.os_pid)],
    ["Oldest process", oldest === null ? null : moment(oldest)],
    ["Counts since", moment(since)],
    ["Collections", collections.map(count).join(", ")],
    ["Actions run", actions ? count(actions) : null],
  ]);
}
