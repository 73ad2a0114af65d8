// Telemetry events, counted while this page is open.

import { count, el, fill, latency, setText } from "./dom.js";
import { table } from "./table.js";

export const title = "Metrics";
export const view = "metrics";
export const query = () => ({ limit: 500 });

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
      { title: "Longest", number: true, wide: true, cell: (row) => latency(row.max_seconds) },
      { title: "Last values", wide: true, cell: (row) => Object.entries(row.last ?? {}).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(", ") },
    ],
  });
  const total = el("p", { class: "quiet", role: "status" });
  fill(
    parent,
    el("h2", {}, "Metrics"),
    total,
    rows.element,
    el("p", { class: "quiet" }, "Counted since this page was opened: calls and callbacks take longer while they are observed. For history and alerts, export metrics."),
  );
  return (found) => {
    setText(total, `${count(found.total)} kinds of events`);
    rows.show(found.rows);
  };
}
