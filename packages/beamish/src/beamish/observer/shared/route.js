// The page, its parameters and the open process, all in the hash: links and reloads keep them.

/** Return the current page and its parameters. */
export function current() {
  const [page, query] = location.hash.slice(1).split("?");
  return { page: page || "overview", params: new URLSearchParams(query ?? "") };
}

/** Return the link to a page, with changes to the current parameters if it is the current page. */
export function link(page, changes) {
  const now = current();
  const params = page === now.page ? now.params : new URLSearchParams();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const query = params.toString();
  return query ? `#${page}?${query}` : `#${page}`;
}

/** Return the values of a parameter that is a list. */
export const list = (name) => (current().params.get(name) ?? "").split(",").filter(Boolean);

/** Change parameters of the current page; `replace` adds no entry to the history. */
export function change(changes, replace = false) {
  const wanted = link(current().page, changes);
  if (wanted === location.hash) return;
  if (replace) location.replace(wanted);
  else location.hash = wanted;
}
