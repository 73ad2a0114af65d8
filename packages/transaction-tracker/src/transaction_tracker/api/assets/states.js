// How states, flags and confirmations of transactions are shown.

import { badge, count, el, words } from "./dom.js";

// The tone of each state. The name of the state is always shown next to the colour.
export const OPEN = {
  registered: "quiet",
  pending: "wait",
  missing: "warn",
  mined: "wait",
  mined_reverted: "bad",
  superseded: "warn",
};
export const ENDED = {
  confirmed: "good",
  failed: "bad",
  replaced: "warn",
  dropped: "warn",
  expired: "quiet",
  invalid: "bad",
  untracked: "quiet",
  reversed: "bad",
};
export const FLAGS = ["stuck", "underpriced", "nonce_gap", "finality_violation", "status_unknown"];

/** Return the badge of a state. */
export const stateBadge = (state) => badge(words(state), OPEN[state] ?? ENDED[state]);

/** Return the badge of a transaction's state, its flags, and whether it is parked. */
export const marks = (one) => [
  stateBadge(one.state),
  ...flagList(one.flags),
  one.parked && !one.final ? el("span", { class: "flag", "data-tone": "bad" }, "parked") : null,
];

/** Return the elements of flags. */
export const flagList = (flags) =>
  flags.map((flag) =>
    el("span", { class: "flag", "data-tone": flag === "finality_violation" ? "bad" : "warn" }, words(flag)),
  );

/** Return the confirmations of a transaction, and the required ones. */
export function depth({ block, confirmations, required }) {
  if (!block) return "–";
  return typeof required === "string"
    ? `${count(confirmations)}, until ${required}`
    : `${count(Math.min(confirmations, required))} of ${count(required)}`;
}

/** Return metadata as one line. */
export function brief(metadata) {
  const parts = Object.entries(metadata).map(([key, value]) =>
    `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return parts.join(", ").slice(0, MAX_METADATA_CHARACTERS) || "–";
}

const MAX_METADATA_CHARACTERS = 200;
