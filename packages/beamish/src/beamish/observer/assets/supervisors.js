// The supervisors, those nearest to their limit of restarts first.

import { count, el, fill, setText } from "./dom.js";
import { limits, search } from "./parts.js";
import { pidLink, restarts } from "./pids.js";
import { current } from "./route.js";
import { table } from "./table.js";

export const title = "Supervisors";
export const view = "supervisors";

export function query() {
  const { params } = current();
  return { search: params.get("search"), limit: params.get("limit") };
}

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  const rows = table({
    caption: "Supervisors, by the share of the allowed restarts that is used",
    key: (row) => row.pid,
    empty: "No supervisor matches.",
    columns: [
      { title: "Supervisor", class: "main", cell: (row) => el("span", {}, pidLink(row.pid), ` ${row.name}`) },
      { title: "Class", wide: true, cell: (row) => row.class_name },
      { title: "Strategy", wide: true, cell: (row) => row.strategy },
      { title: "Restarts used", cell: (row) => restarts(row.restarts) },
      { title: "Counted for", wide: true, cell: (row) => (row.intensity === "child" ? "each child" : "all children") },
      { title: "Children", number: true, cell: (row) => count(row.children) },
      { title: "Restarting", number: true, wide: true, cell: (row) => count(row.restarting) },
    ],
  });
  const total = el("p", { class: "quiet", role: "status" });
  fill(
    parent,
    el("div", { class: "heading" }, el("h2", {}, "Supervisors"),
      el("div", { class: "line" }, search("Search by name, class or pid"), limits([50, 100, 500, 1000], 100))),
    total,
    rows.element,
    el("p", { class: "quiet" }, "At one restart more than allowed, a supervisor stops its children and exits; or gives up the child, if restarts count for each child, of which the one with most is shown."),
  );
  return (found) => {
    const part = found.matching === found.total ? "" : ` of ${count(found.total)}`;
    setText(total, `${count(found.matching)}${part} supervisors`);
    rows.show(found.rows);
  };
}
