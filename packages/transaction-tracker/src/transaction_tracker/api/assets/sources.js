// The switch between several sources; hidden if the service has only one.

import { json } from "./api.js";
import { byId, el, fill } from "./dom.js";

const picker = byId("source");
let names = new Map();

/** Load the sources, and offer them. */
export async function load(signal) {
  const { sources } = await json("v1/sources", signal);
  names = new Map(sources.map(({ name, chain }) => [chain, name]));
  const before = picker.value;
  fill(picker, el("option", { value: "" }, "All sources"),
    ...sources.map(({ name, state }) =>
      el("option", { value: name }, state === "running" ? name : `${name} (${state})`)));
  picker.value = sources.some(({ name }) => name === before) ? before : "";
  byId("source-choice").hidden = byId("source-name").hidden = sources.length === 0;
}

/** Whether the service has several sources. */
export const several = () => names.size > 0;

/** The name of the chosen source; empty for all. */
export const chosen = () => picker.value;

/** The name of a transaction's source; its chain id if that is not configured. */
export function sourceOf({ id, caip_id: full }) {
  const chain = id === full ? id.split(":", 2).join(":") : full.slice(0, -id.length - 1);
  return names.get(chain) ?? chain;
}

/** Call a function after each choice. */
export const onChoice = (done) => picker.addEventListener("change", done);
