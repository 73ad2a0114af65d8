// The pages of the tracker: which one is shown, and when it loads its data.

import { byId, el, fill } from "./dom.js";
import { can, seesAll } from "./session.js";
import { current } from "./route.js";
import { Bell, NEVER_MS } from "./waiting.js";

const REST_MS = 500;

/**
 * Shows one of several pages, as the fragment says.
 *
 * A page has a `title`, `build(parent)`, and optionally `scope` (without it, the page is not shown),
 * `live` (whether it loads after each event) and `everyMs`. What `build` returns has `load(signal)`,
 * `show(data)`, and optionally `health(seen)`.
 */
export class Pages {
  #pages;
  #parent;
  #changed = new Bell();
  #resting = new Bell();
  #turned = new AbortController();
  #shown = null;
  #seen = null;

  constructor(pages, parent) {
    this.#pages = pages;
    this.#parent = parent;
  }

  /** Whether there is a page of this name. */
  has = (name) => Object.hasOwn(this.#pages, name);

  /** Return the names and pages that the user can see. */
  allowed = () => Object.entries(this.#pages).filter(([, { scope = "read" }]) => (scope === "admin" ? seesAll() : can(scope)));

  /** Load the current page, again after each change. */
  async follow(signal) {
    for (;;) {
      const page = this.#built();
      const began = performance.now();
      const turned = this.#turned.signal;
      try {
        const data = await page.load(AbortSignal.any([signal, turned]));
        if (turned.aborted) continue;
        page.show(data);
      } catch (error) {
        if (turned.aborted && !signal.aborted) continue;
        throw error;
      }
      // Events can come by the thousand, and a table can be large: loading takes at most a tenth of
      // the time, and a twentieth without changes.
      const elapsed = performance.now() - began;
      await this.#resting.wait(Math.max(REST_MS, 9 * elapsed), signal);
      await this.#changed.wait(Math.max(page.everyMs, 19 * elapsed), signal);
    }
  }

  /** Turn to the page of the fragment, and load it at once. */
  turn() {
    this.#turned.abort();
    this.#turned = new AbortController();
    this.#resting.ring();
    this.#changed.ring();
    this.mark();
  }

  /** Mark the link to the current page. */
  mark() {
    for (const link of byId("pages").querySelectorAll("a[data-page]")) {
      if (link.dataset.page === current().page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** Note that transactions have changed. */
  happened() {
    if (this.#shown?.live) this.#changed.ring();
  }

  /** Show the health of the service. */
  look(seen) {
    this.#seen = seen;
    this.#shown?.health?.(seen);
    if (this.#shown?.live) this.#changed.ring();
  }

  /** Load the current page again, such as after an action. */
  refresh() {
    this.#changed.ring();
  }

  /** Remove what the last token could read. */
  forget() {
    this.#shown = this.#seen = null;
    fill(this.#parent);
  }

  #built() {
    const { page: name } = current();
    const known = Object.fromEntries(this.allowed());
    if (this.#shown?.name === name) return this.#shown;
    const page = known[name];
    this.#shown = { name, everyMs: NEVER_MS, live: false, ...(page ? { everyMs: page.everyMs ?? NEVER_MS, live: page.live, ...page.build(this.#parent) } : this.#refused()) };
    if (this.#seen) this.#shown.health?.(this.#seen);
    return this.#shown;
  }

  #refused() {
    fill(this.#parent, el("p", { class: "empty" }, "This page needs a token with the scope admin."));
    return { load: async () => null, show: () => {} };
  }
}
