// Wait for a time or a notification, until a signal aborts.

/** Maximum delay of a timer, about 25 days. */
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

/** A notification that is remembered until the next wait; several count as one. */
export class Bell {
  #rung = false;
  #wake = () => {};

  /** Wake the current wait, or the next one. */
  ring() {
    this.#rung = true;
    this.#wake();
  }

  /** Wait for `ring`, at most `milliseconds`. */
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
