// Waiting: for a time, for a word from somebody, and in either case no longer than a signal lets us.

/** As long as a timer can wait: some weeks. */
export const NEVER_MS = 2 ** 31 - 1;

/** Wait for some milliseconds; rejects when `signal` aborts. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    }
    if (signal.aborted) done();
  });
}

/** Something to wait for that remembers that it came; many at once are one. */
export class Bell {
  #rung = false;
  #wake = () => {};

  /** Wake whoever waits, or comes to wait next. */
  ring() {
    this.#rung = true;
    this.#wake();
  }

  /** Wait until it rings, or until `milliseconds` are over. */
  async wait(milliseconds, signal) {
    if (!this.#rung) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await sleep(milliseconds, AbortSignal.any([signal, woken.signal])).catch(() => {});
    }
    signal.throwIfAborted();
    this.#rung = false;
  }
}
