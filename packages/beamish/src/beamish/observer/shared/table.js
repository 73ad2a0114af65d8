// A table whose rows keep their elements: a refresh changes texts, not the focus. While the pointer
// or the focus is in it, rows keep their places, and new rows are announced instead.

import { count, el, fill, setText } from "./dom.js";
import { change, current } from "./route.js";

/**
 * Return a table as `{element, show(rows)}`.
 *
 * @param caption Name for screen readers.
 * @param columns Each with `title`, `cell(row)`, and optionally `number`, `wide` (hidden on narrow
 *   screens) and `sort`, the name of the order that its header chooses.
 * @param key Returns what identifies a row.
 * @param empty Text for no rows.
 * @param sort The standard order, if headers choose one.
 * @param version Returns what changes with a row, to mark rows that change.
 * @param linked Whether the whole row leads where its first link leads.
 */
export function table({ caption, columns, key, empty, sort = null, version = null, linked = false }) {
  const body = el("tbody");
  const news = el("p", { class: "quiet", role: "status" });
  const nothing = el("p", { class: "quiet empty", hidden: "" }, empty);
  const heads = columns.map((column) => head(column, sort));
  const grid = el("table", { class: linked ? "linked" : null }, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, heads)), body);
  const element = el("div", { class: "tabular" }, grid, nothing, news);
  const lines = new Map();
  let asked = null;

  function show(rows, text = empty) {
    fill(nothing, text);
    nothing.hidden = rows.length > 0;
    grid.hidden = rows.length === 0;
    const kept = grid.matches(":hover") || body.contains(document.activeElement);
    // Another order, filter or page is what the user asked for: the rows take their new places.
    const { params } = current();
    params.delete("info");
    const same = asked === (asked = params.toString());
    if (kept && same && lines.size) hold(rows);
    else place(rows);
    if (sort) heads.forEach((cell, index) => mark(cell, columns[index], sort));
  }

  function hold(rows) {
    const found = new Map(rows.map((row) => [key(row), row]));
    for (const [id, line] of lines) {
      line.element.toggleAttribute("data-gone", !found.has(id));
      if (found.has(id)) line.update(found.get(id));
    }
    const fresh = rows.filter((row) => !lines.has(key(row))).length;
    setText(news, fresh ? `${count(fresh)} new; move the pointer out of the table to see them.` : "");
  }

  function place(rows) {
    setText(news, "");
    const ids = new Set(rows.map(key));
    for (const id of lines.keys()) if (!ids.has(id)) lines.delete(id);
    const elements = rows.map((row) => {
      const id = key(row);
      if (!lines.has(id)) lines.set(id, newLine(columns, version));
      const line = lines.get(id);
      line.element.removeAttribute("data-gone");
      line.update(row);
      return line.element;
    });
    if (elements.length !== body.children.length || elements.some((one, index) => body.children[index] !== one)) {
      body.replaceChildren(...elements);
    }
  }

  return { element, show };
}

function classes(column) {
  return [column.number ? "number" : "", column.wide ? "wide" : "", column.class ?? ""].join(" ").trim() || null;
}

function newLine(columns, version) {
  const cells = columns.map((column) => el("td", { class: classes(column) }));
  const last = new Array(columns.length);
  const element = el("tr", { animationend: () => element.classList.remove("fresh") }, cells);
  let seen = null;
  return {
    element,
    update(row) {
      const now = version?.(row) ?? null;
      element.classList.toggle("fresh", seen !== null && seen !== now);
      seen = now;
      columns.forEach((column, index) => {
        const made = column.cell(row);
        // A copy is kept: what is shown changes by itself, such as ages and disabled buttons.
        const copy = made instanceof Node ? made.cloneNode(true) : document.createTextNode(made);
        if (last[index]?.isEqualNode(copy)) return;
        last[index] = copy;
        fill(cells[index], made);
      });
    },
  };
}

function head(column, sort) {
  if (!sort || !column.sort) return el("th", { scope: "col", class: classes(column) }, column.title);
  const button = el("button", { type: "button", class: "plain", click: () => choose(column, sort) }, column.title);
  return el("th", { scope: "col", class: classes(column) }, button);
}

/** Return the chosen order, and whether the largest value is first. */
function chosen(sort) {
  const { params } = current();
  return [params.get("sort") ?? sort, params.get("dir") !== "asc"];
}

function choose(column, sort) {
  const [name, descending] = chosen(sort);
  const again = name === column.sort;
  change({ sort: column.sort, dir: again && descending ? "asc" : null }, true);
}

function mark(cell, column, sort) {
  const [name, descending] = chosen(sort);
  if (column.sort !== name) cell.removeAttribute("aria-sort");
  else cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
}
