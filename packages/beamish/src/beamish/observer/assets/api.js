// Requests to the observer: the token, and the two kinds of failure.

const KEY = "beamish-observer-token";
const TIMEOUT_MS = 20_000;

/** The observer responded with an error. */
export class Refused extends Error {
  constructor(status, text) {
    super(text ?? `the observer responded with HTTP ${status}`);
    this.status = status;
  }
}

/** The observer did not respond. */
export class Lost extends Error {}

let held = stored((storage) => storage.getItem(KEY));

// In session storage: it ends with the tab, and no other site can read it. If the browser forbids
// storage, the token is kept as long as the page.
function stored(action) {
  try {
    return action(sessionStorage);
  } catch {
    return null;
  }
}

export const hasToken = () => held !== null;

export function keepToken(text) {
  held = text;
  stored((storage) => storage.setItem(KEY, text));
}

export function forgetToken() {
  held = null;
  stored((storage) => storage.removeItem(KEY));
}

/** Send a request, and return the successful response. */
export async function ask(path, signal, { method = "GET", headers = {} } = {}) {
  const sent = held === null ? headers : { ...headers, Authorization: `Bearer ${held}` };
  // No redirects, no other origin.
  const options = { method, headers: sent, signal, cache: "no-store", redirect: "error" };
  let answer;
  try {
    answer = await fetch(path, { ...options, mode: "same-origin" });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Lost("the program does not respond");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem.error);
}

/** Send a GET request, and return the parsed JSON of the response. */
export async function json(path, signal) {
  const answer = await ask(path, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
  return answer.json();
}

/** Run an action on a process, and return its result in words. */
export async function act(pid, action) {
  const headers = { "X-Beamish-Action": action };
  const answer = await ask(`api/process/${pid}/${action}`, AbortSignal.timeout(TIMEOUT_MS), { method: "POST", headers });
  return (await answer.json()).result;
}
