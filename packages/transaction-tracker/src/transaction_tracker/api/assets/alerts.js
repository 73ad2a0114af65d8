// Alerts about the service: active ones, and the last that were cleared.

import { badge, el, fill, moment } from "./dom.js";
import { json } from "./requests.js";
import { table } from "./table.js";

export const title = "Alerts";
export const everyMs = 5_000;

/** Build the page in `parent`; return what loads and shows its data. */
export function build(parent) {
  const rows = table({
    caption: "Alerts, active and critical ones first",
    key: (one) => one.id,
    empty: "No alert has been raised.",
    columns: [
      { title: "State", cell: (one) => (one.cleared_at ? badge("cleared", "quiet") : badge(one.severity, one.severity === "critical" ? "bad" : "warn")) },
      { title: "Kind", cell: (one) => one.kind },
      { title: "Subject", wide: true, cell: (one) => one.subject },
      { title: "What", class: "main reason", cell: (one) => one.text },
      { title: "Since", number: true, cell: (one) => moment(one.since) },
      { title: "Cleared", number: true, wide: true, cell: (one) => (one.cleared_at ? moment(one.cleared_at) : "") },
    ],
  });
  rows.element.id = "alert-list";
  fill(parent, el("h2", {}, "Alerts"), rows.element);
  return {
    load: (signal) => json("v1/alerts?limit=200", signal),
    show: ({ alerts }) => rows.show(alerts.toSorted((one, other) => rank(one) - rank(other))),
  };
}

const rank = ({ cleared_at: cleared, severity }) => (cleared ? 2 : severity === "critical" ? 0 : 1);
