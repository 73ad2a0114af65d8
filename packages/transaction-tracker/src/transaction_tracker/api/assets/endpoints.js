// The webhook endpoints: their health, and what waits for them. Needs the scope admin.

import { ago, badge, count, el, fill } from "./dom.js";
import { json } from "./requests.js";
import { link } from "./route.js";
import { table } from "./table.js";

const TONES = { healthy: "good", failing: "bad", disabled: "warn" };

export const title = "Endpoints";
export const scope = "admin";
export const everyMs = 5_000;

/** Return the badge of an endpoint's health. */
export const healthBadge = (health) => badge(health, TONES[health]);

/** Build the page in `parent`; return what loads and shows its data. */
export function build(parent) {
  const rows = table({
    caption: "Webhook endpoints",
    key: (one) => one.id,
    linked: true,
    empty: "There are no endpoints: create one with txtrack webhook add.",
    columns: [
      { title: "Health", cell: (one) => healthBadge(one.health) },
      { title: "Endpoint", class: "main identity", cell: (one) => el("a", { href: link("endpoints", { endpoint: one.id, info: null }) }, one.url) },
      { title: "Pending", number: true, cell: (one) => count(one.pending) },
      { title: "Dead letters", number: true, cell: (one) => (one.dead ? badge(count(one.dead), "warn") : "0") },
      { title: "Last error", class: "reason", wide: true, cell: (one) => (one.health === "healthy" ? "" : one.disabled_reason ?? one.last_error ?? "") },
      { title: "Last attempt", number: true, wide: true, cell: (one) => (one.last_attempt_at ? ago(one.last_attempt_at) : "–") },
      { title: "Failing since", number: true, wide: true, cell: (one) => (one.failing_since ? ago(one.failing_since) : "") },
    ],
  });
  fill(parent, el("h2", {}, "Endpoints"), rows.element,
    el("p", { class: "quiet" }, "Open an endpoint to see its attempts and dead letters, and to test, enable or disable it."));
  return {
    load: (signal) => json("v1/endpoints", signal),
    show: ({ endpoints }) => rows.show(endpoints),
  };
}
