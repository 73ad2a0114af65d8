// Keys that all pages have: `/` goes to the search, `j` and `k` move between the rows of a table;
// and the link that skips the navigation.

import { byId } from "./dom.js";

function move(step) {
  const links = [...document.querySelectorAll("#inside tbody tr a")].filter((link) => link.closest("tr").querySelector("a") === link);
  const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/" && byId("search")) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash names the page
  byId("main").focus();
});
