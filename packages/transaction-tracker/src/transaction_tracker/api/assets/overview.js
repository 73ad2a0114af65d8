// The overview: what needs an operator, figures, charts, and the latest changes.

import * as changes from "./changes.js";
import { charts, samples, spanChoice } from "./charts.js";
import { ago, el, fill, many, setText, words } from "./dom.js";
import { figures } from "./figures.js";
import { json } from "./requests.js";
import { link } from "./route.js";
import * as sources from "./sources.js";
import { stateBadge } from "./states.js";
import { table } from "./table.js";

const SHOWN = 5;

export const title = "Overview";
export const everyMs = 5_000;

/** Build the page in `parent`; return what loads and shows its data. */
export function build(parent) {
  const numbers = figures();
  const pictures = charts();
  const attention = table({
    caption: "Open transactions that need attention",
    key: (one) => one.id,
    version: (one) => one.version,
    linked: true,
    empty: "No open transaction is parked, missing or flagged.",
    columns: [
      { title: "State", cell: (one) => stateBadge(one.state) },
      { title: "Transaction", class: "main identity", cell: (one) => el("a", { class: "id", href: link("overview", { info: one.id }) }, one.id) },
      ...sources.column(),
      { title: "Why", class: "reason", wide: true, cell: (one) => reason(one) },
      { title: "Since", number: true, cell: (one) => ago(one.waiting_since ?? one.updated_at) },
    ],
  });
  const more = el("p", { class: "quiet" });
  fill(parent,
    el("section", { "aria-labelledby": "health-title" }, el("h2", { id: "health-title", class: "unseen" }, "Health"), numbers.element),
    el("div", { class: "columns" },
      el("section", { "aria-labelledby": "attention-title" }, el("h2", { id: "attention-title" }, "Transactions that need attention"), attention.element, more),
      el("div", { class: "aside" }, changes.list())),
    el("div", { class: "heading" }, el("h2", {}, "Charts"), spanChoice()),
    pictures.element);

  return {
    load: async (signal) => {
      const query = new URLSearchParams({ order: "activity", attention: "true", limit: SHOWN });
      if (sources.chosen()) query.set("source", sources.chosen());
      const [found, kept] = await Promise.all([json(`v1/transactions?${query}`, signal), samples(signal)]);
      return { found, kept };
    },
    show: ({ found, kept }) => {
      attention.show(found.transactions);
      setText(more, found.next ? "There are more." : many(found.transactions.length, "transaction"));
      if (found.next) fill(more, el("a", { href: "#transactions?attention=true" }, "Show all"));
      more.hidden = found.transactions.length === 0;
      pictures.show(kept);
    },
    health: numbers.show,
  };
}

const REASONS = {
  stuck: "pending for long",
  underpriced: "fee below the base fee",
  nonce_gap: "waits for an earlier nonce",
  finality_violation: "was final in a block that a reorganisation removed",
  status_unknown: "no receipt has a status",
};

function reason(one) {
  if (one.parked) return `parked: ${one.parked}`;
  const known = one.flags.map((flag) => `${words(flag)}: ${REASONS[flag] ?? "flagged"}`);
  return known.join("; ") || "no provider knows it";
}
