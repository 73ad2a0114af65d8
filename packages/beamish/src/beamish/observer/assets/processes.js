// The process table: sorted and searched by the program, which sends only the rows that are shown.

import { count, el, fill, percent, setText } from "./dom.js";
import { limits, search } from "./parts.js";
import { pidLink, statusBadge } from "./pids.js";
import { current } from "./route.js";
import { table } from "./table.js";

export const title = "Processes";
export const view = "processes";
export const SORT = "recent";

export function query() {
  const { params } = current();
  return { sort: params.get("sort"), dir: params.get("dir"), search: params.get("search"), limit: params.get("limit") };
}

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  const rows = table({
    caption: "Processes; the header buttons sort them",
    sort: SORT,
    key: (row) => row.pid,
    empty: "No process matches.",
    columns: [
      { title: "Process", sort: "pid", cell: (row) => pidLink(row.pid, `<0.${row.pid}.0>`) },
      { title: "Name", class: "main", cell: (row) => row.name },
      { title: "Class", sort: "class", wide: true, cell: (row) => row.class_name },
      { title: "Status", wide: true, cell: (row) => statusBadge(row.status) },
      { title: "Recent", sort: "recent", number: true, cell: (row) => count(row.recent) },
      { title: "Busy", sort: "busy", number: true, wide: true, cell: (row) => percent(row.busy) },
      { title: "Handled", sort: "handled", number: true, wide: true, cell: (row) => count(row.handled) },
      { title: "Queued", sort: "queue", number: true, cell: (row) => count(row.queue) },
      { title: "Callback", wide: true, cell: (row) => row.callback ?? "" },
    ],
  });
  const total = el("p", { class: "quiet", id: "total", role: "status" });
  fill(
    parent,
    el("div", { class: "heading" }, el("h2", {}, "Processes"),
      el("div", { class: "line" }, search("Search by class, name, label or pid"), limits([50, 100, 500, 1000], 100))),
    total,
    rows.element,
    el("p", { class: "quiet" }, "Recent: messages handled since the last refresh. Busy: share of that time in a callback, " +
      "waiting included; sort by it to measure it, which makes calls slower. Keys: / searches, j and k move, Enter opens."),
  );
  return (found) => {
    const part = found.matching === found.total ? "" : ` of ${count(found.total)}`;
    setText(total, `${count(found.matching)}${part} processes, ${count(found.queued)} messages queued`);
    rows.show(found.rows);
  };
}
