// The switch between several sources; the header shows the name of the only one in its place.

import { byId, el, fill, setText } from "./dom.js";
import { json } from "./requests.js";

const picker = el("select", { "aria-label": "Source" });
let names = new Map();

/** Load the sources, and offer them; `only` is the name of the only one. */
export async function load(only, signal) {
  const { sources } = await json("v1/sources", signal);
  names = new Map(sources.map(({ name, chain }) => [chain, name]));
  const before = picker.value;
  fill(picker, el("option", { value: "" }, "All sources"),
    ...sources.map(({ name, state }) =>
      el("option", { value: name }, state === "running" ? name : `${name} (${state})`)));
  picker.value = sources.some(({ name }) => name === before) ? before : "";
  if (!several()) setText(byId("source"), only ?? "");
  else if (!byId("source").contains(picker)) fill(byId("source"), picker);
}

/** Whether the service has several sources. */
export const several = () => names.size > 0;

/** The name of the chosen source; empty for all, and for the only one. */
export const chosen = () => (several() ? picker.value : "");

/** The providers of the chosen source. */
export const own = (providers) =>
  chosen() ? providers.filter(({ name }) => name.startsWith(`${chosen()}.`)) : providers;

/** The column of a table with a transaction's source, if there are several. */
export const column = () => (several() ? [{ title: "Source", class: "foreign", cell: sourceOf }] : []);

/** The name of a transaction's source; its chain id if that is not configured. */
function sourceOf({ id, caip_id: full }) {
  const chain = id === full ? id.split(":", 2).join(":") : full.slice(0, -id.length - 1);
  return names.get(chain) ?? chain;
}

/** Call a function after each choice. */
export const onChoice = (call) => picker.addEventListener("change", call);
