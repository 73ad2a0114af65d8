// Facts about the service, and what the user of this page is allowed to do.

import { el } from "./dom.js";
import { hasToken } from "./requests.js";

export let service = null;

/** Keep the answer of `v1/service`. */
export function keep(found) {
  service = found;
}

/**
 * Whether the user can do what needs `scope`. Without tokens, the page can read everything and
 * change nothing: another page in the same browser could send its requests, too.
 */
export const can = (scope) =>
  (service?.scopes.includes(scope) || service?.scopes.includes("admin")) && (hasToken() || scope === "read");

/** Whether the user can see what needs the scope admin. */
export const seesAll = () => service?.scopes.includes("admin") ?? false;

/** Return a link to the block explorer, or `null` if none is configured. */
export function explorer(id) {
  const url = service?.explorer_url?.replaceAll("{id}", encodeURIComponent(id));
  // Checked here as well: a link must never run a script.
  if (!url || !/^https?:/i.test(url)) return null;
  return el("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, "Explorer");
}
