// The registries, and the entries of the chosen one.

import { count, el, fill, setText } from "./dom.js";
import { limits, search } from "./parts.js";
import { pidLink } from "./pids.js";
import { current, link } from "./route.js";
import { table } from "./table.js";

export const title = "Registries";
export const view = "registries";

export function query() {
  const { params } = current();
  return { pid: params.get("registry"), search: params.get("search"), limit: params.get("limit") };
}

/** Build the page in `parent`; return what shows a snapshot. */
export function build(parent) {
  const all = table({
    caption: "Registries",
    key: (row) => row.pid,
    empty: "There are no registries.",
    columns: [
      { title: "Registry", class: "main", cell: (row) => el("a", { href: link("registries", { registry: row.pid, search: null, info: null }) }, row.name) },
      { title: "Process", wide: true, cell: (row) => pidLink(row.pid) },
      { title: "Keys are", wide: true, cell: (row) => row.keys },
      { title: "Keys", number: true, cell: (row) => count(row.count) },
      { title: "Entries", number: true, cell: (row) => count(row.entries) },
      { title: "Listeners", wide: true, cell: (row) => row.listeners.join(", ") },
    ],
  });
  const entries = table({
    caption: "Entries",
    key: (row) => `${row.pid} ${row.key}`,
    empty: "No entry matches.",
    columns: [
      { title: "Key", class: "main", cell: (row) => row.key },
      { title: "Process", cell: (row) => pidLink(row.pid) },
      { title: "Value", wide: true, cell: (row) => row.value },
    ],
  });
  const heading = el("h2", { id: "entries-title" });
  const total = el("p", { class: "quiet", role: "status" });
  const chosen = el("section", { "aria-labelledby": "entries-title", hidden: "" },
    el("div", { class: "heading" }, heading, el("div", { class: "line" }, search("Search by key"), limits([50, 100, 500, 1000], 100))),
    total,
    entries.element,
  );
  fill(parent, el("section", { "aria-label": "Registries" }, el("h2", {}, "Registries"), all.element), chosen);
  return (found) => {
    all.show(found.registries);
    const row = found.registries.find((one) => one.pid === found.chosen);
    chosen.hidden = row === undefined;
    if (row === undefined) return;
    setText(heading, `Entries of ${row.name}`);
    setText(total, `${count(found.matching)} entries match`);
    entries.show(found.entries);
  };
}
