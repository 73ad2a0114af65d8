// Requests to the service of this page: the token, and the two kinds of failure.

const KEY = "beamish-token";
const TIMEOUT_MS = 20_000;

/** The service responded with an error: a problem (RFC 9457), or `{error}`. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? problem.error ?? `the service responded with HTTP ${status}`);
    this.status = status;
    this.kind = (problem.type ?? "").split(":").at(-1);
    this.faults = problem.errors ?? [];
    this.retryAfterMs = 1_000 * (Number(retryAfter) || 0);
  }

  /** Whether the user must enter another token. */
  get wantsToken() {
    return this.status === 401 || (this.status === 403 && this.kind === "scope");
  }
}

/** The service did not respond. */
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
export async function ask(path, signal, { method = "GET", headers = {}, body } = {}) {
  const sent = held === null ? headers : { ...headers, Authorization: `Bearer ${held}` };
  // No redirects, no other origin.
  const options = { method, headers: sent, body, signal, cache: "no-store", redirect: "error", mode: "same-origin" };
  const answer = await heard(fetch(path, options), signal);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem, answer.headers.get("Retry-After"));
}

/** Send a request, and return the text of the response. */
export async function text(path, signal, options) {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  return heard(ask(path, limited, options).then((answer) => answer.text()), signal);
}

/** Send a request, and return the parsed JSON of the response. */
export const json = async (path, signal, options) => JSON.parse(await text(path, signal, options), exactly);

/** Send a request that changes something, and return the response's JSON or `null`. */
export async function post(path, content, headers = {}, method = "POST") {
  const typed = content === undefined ? headers : { ...headers, "Content-Type": "application/json" };
  const body = content === undefined ? undefined : JSON.stringify(content);
  const found = await text(path, new AbortController().signal, { method, headers: typed, body });
  return found ? JSON.parse(found, exactly) : null;
}

/** Convert network errors and timeouts to `Lost`; pass on aborts and problems. */
async function heard(promise, signal) {
  try {
    return await promise;
  } catch (error) {
    if (signal.aborted || error instanceof Refused || error instanceof Lost) throw error;
    throw new Lost("the service does not respond");
  }
}

// Numbers in data of users that JavaScript would round are kept as text.
function exactly(_key, value, context) {
  if (typeof value !== "number" || !context || Number.isSafeInteger(value)) return value;
  return String(value) === context.source ? value : (JSON.rawJSON?.(context.source) ?? context.source);
}
