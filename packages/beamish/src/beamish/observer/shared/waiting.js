// Wait for a time or a notification, until a signal aborts.

/** Maximum delay of a timer, about 25 days. */
export const NEVER_MS = 2 ** 31 - 1;

/** Wait for some milliseconds; rejects when `signal` aborts. */
export const sleep = (milliseconds, signal) => new Bell().wait(milliseconds, signal);

/** A notification that wakes every current wait; without any, it wakes the next one; several count as one. */
export class Bell {
  #rung = false;
  #waiting = new Set();

  /** Wake every current wait, or the next one. */
  ring() {
    this.#rung = this.#waiting.size === 0;
    for (const wake of this.#waiting) wake();
  }

  /** Wait for `ring`, at most `milliseconds`; rejects when `signal` aborts. */
  wait(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
      if (signal.aborted || this.#rung) done();
      this.#rung = false;
    });
  }
}
