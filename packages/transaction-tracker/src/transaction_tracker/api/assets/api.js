// Asking the API: the token, and the three ways in which an answer can fail to come.

const KEY = "transaction-tracker-token";
const PATIENCE_MS = 20_000;

/** The API answered, but not with what was asked for. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? `the service answered ${status}`);
    this.status = status;
    this.kind = (problem.type ?? "").split(":").at(-1);
    this.faults = problem.errors ?? [];
    this.retryAfterMs = 1_000 * (Number(retryAfter) || 0);
  }

  /** Whether another token is needed. */
  get wantsToken() {
    return this.status === 401 || (this.status === 403 && this.kind === "scope");
  }
}

/** Nobody answered. */
export class Lost extends Error {}

let held = stored((storage) => storage.getItem(KEY));

// This tab's memory only: it ends with the tab, and no other page reads it. A browser may forbid
// even that; then the token lives as long as the page.
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

/** Ask for a path; the answer is a good one. */
export async function ask(path, signal, headers = {}) {
  const sent = held === null ? headers : { ...headers, Authorization: `Bearer ${held}` };
  // No cookies, no other address, whatever the answer says.
  const options = { headers: sent, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  const answer = await heard(fetch(path, { ...options, mode: "same-origin" }), signal);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem, answer.headers.get("Retry-After"));
}

/** Ask for a path, and give the text of the answer. */
export async function text(path, signal) {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  return heard(ask(path, limited).then((answer) => answer.text()), signal);
}

/** Ask for a path, and give what its JSON says. */
export const json = async (path, signal) => JSON.parse(await text(path, signal), exactly);

/** Tell apart what we have stopped ourselves, what was refused, and silence. */
async function heard(promise, signal) {
  try {
    return await promise;
  } catch (error) {
    if (signal.aborted || error instanceof Refused || error instanceof Lost) throw error;
    throw new Lost("the service does not answer");
  }
}

// Metadata may hold numbers that JavaScript would round: those are kept as they were written.
function exactly(_key, value, context) {
  if (typeof value !== "number" || !context || Number.isSafeInteger(value)) return value;
  return String(value) === context.source ? value : (JSON.rawJSON?.(context.source) ?? context.source);
}
