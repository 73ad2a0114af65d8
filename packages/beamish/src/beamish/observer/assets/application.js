// Pages of the application: figures and tables that it reads for the observer.

import { count, el, fill, many, rate, renderer, setText } from "./dom.js";
import { limits, search } from "./parts.js";
import { pidLink } from "./pids.js";
import { current } from "./route.js";
import { table } from "./table.js";

/** Return the page of the application with this name and title. */
export const page = (name, title) => ({
  title,
  view: "page",
  query: () => ({ page: name, search: current().params.get("search"), limit: current().params.get("limit") }),
  build: (parent) => build(parent, title),
});

function build(parent, title) {
  const figures = el("dl", { id: "figures", hidden: "" });
  const tables = el("div");
  fill(parent,
    el("div", { class: "heading" }, el("h2", {}, title), el("div", { class: "line" }, search("Search in the tables"), limits([50, 100, 500, 1000], 100))),
    figures, tables);
  const showFigures = renderer(figures, (found) => found.map(([name, value]) =>
    el("div", { class: "card" }, el("dt", {}, name), el("dd", { class: "value" }, cell(value)))));
  let known = [];
  return (found) => {
    figures.hidden = found.figures.length === 0;
    showFigures(found.figures);
    // The tables keep their elements as long as their titles and columns are the same.
    const shapes = JSON.stringify(found.tables.map((one) => [one.title, one.columns]));
    if (known.shapes !== shapes) {
      known = Object.assign(found.tables.map(section), { shapes });
      fill(tables, known.map((one) => one.element));
    }
    found.tables.forEach((one, index) => known[index].show(one));
  };
}

function section({ title, columns }) {
  const rows = table({
    caption: title,
    key: (row) => row.key,
    empty: "No rows.",
    columns: columns.map((name, index) => ({ title: name, class: index ? null : "main", cell: (row) => cell(row.cells[index]) })),
  });
  const total = el("p", { class: "quiet" });
  return {
    element: el("section", {}, el("h2", {}, title), total, rows.element),
    show: ({ rows: found, matching, total: all }) => {
      setText(total, matching === all ? many(all, "row") : `${count(matching)} of ${many(all, "row")}`);
      rows.show(keyed(found));
    },
  };
}

/** Return rows with what identifies them: the first column, and a number for each of the same name. */
function keyed(rows) {
  const seen = new Map();
  return rows.map((cells) => {
    const name = JSON.stringify(cells[0]);
    const number = seen.get(name) ?? 0;
    seen.set(name, number + 1);
    return { key: `${name} ${number}`, cells };
  });
}

function cell(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return rate(value);
  return typeof value === "object" ? pidLink(value.pid) : value;
}
