// Actions of an operator. Each needs a scope and a confirmation; without the scope, the page shows
// the command instead of a button.

import { confirmed } from "./confirm.js";
import { byId, el, setText } from "./dom.js";
import { Refused, post } from "./requests.js";
import { can } from "./session.js";
import { Bell } from "./waiting.js";

/** Rings after an action, so that the page shows its effect at once. */
export const done = new Bell();
let prepare = () => {};

/** Call a function after each action, before `done` rings. */
export function onDone(call) {
  prepare = call;
}

/**
 * Return a button for an action, or its command.
 *
 * @param label Text of the button.
 * @param scope The scope that it needs.
 * @param question The question of the confirmation.
 * @param text What the action does.
 * @param run Sends the request, and returns its result in words.
 * @param command The command that does the same; `null` shows nothing without the scope.
 * @param harmless Whether it takes nothing away: its confirmation is not red.
 */
export function action({ label, scope, question, text, run, command = null, harmless = false }) {
  if (!can(scope)) return command && el("code", {}, command);
  const button = el("button", { type: "button", "data-action": label, click: () => perform() }, label);

  async function perform() {
    if (!(await confirmed(question, text, label, harmless))) return;
    button.disabled = true;
    try {
      say(await run(), "good");
    } catch (error) {
      say(`${label}: ${error.message}`, "bad");
      if (!(error instanceof Refused) && error.name !== "Error") console.error(error);
    }
    button.disabled = false;
    prepare();
    done.ring();
  }

  return button;
}

/** Show the result of an action, also above an open drawer. */
export function say(text, tone) {
  const open = byId("detail").open;
  const message = byId(open ? "detail-message" : "message");
  message.hidden = false;
  message.dataset.tone = tone;
  setText(message, text);
}

/** Hide the results of earlier actions. */
export function forget() {
  for (const id of ["message", "detail-message"]) byId(id).hidden = true;
}

/** Return a button that copies a text. */
export function copyButton(text, what) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy ${what}`, click: copy }, "Copy");

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setText(button, "Copied");
    } catch {
      say("The browser does not allow to copy: select the text instead.", "warn");
    }
  }

  return button;
}

// -- What can be done

const id = encodeURIComponent;

export const resumeDeliveries = () => action({
  label: "Resume deliveries", scope: "admin", question: "Resume deliveries?",
  text: "All frozen events are delivered now. Check first which transactions have the flag finality_violation.",
  command: "txtrack deliveries resume",
  run: async () => (await post("v1/deliveries/resume"), "Deliveries are resumed."),
});

export const recheck = (transaction) => action({
  label: "Recheck", harmless: true, scope: "write", question: "Recheck the transaction?",
  text: "The service asks the source about it now. A parked transaction gets a new tracker.",
  command: `txtrack recheck ${transaction}`,
  run: async () => (await post(`v1/transactions/${id(transaction)}/recheck`), "The check is scheduled."),
});

export const enable = (endpoint) => action({
  label: "Enable", harmless: true, scope: "admin", question: "Enable the endpoint?",
  text: "Pending deliveries are sent, and future events are delivered.",
  command: `txtrack webhook enable ${endpoint}`,
  run: async () => (await post(`v1/endpoints/${id(endpoint)}/enable`), "The endpoint is enabled."),
});

export const disable = (endpoint) => action({
  label: "Disable", scope: "admin", question: "Disable the endpoint?",
  text: "Pending deliveries wait, and future events are not delivered to it.",
  run: async () => (await post(`v1/endpoints/${id(endpoint)}/disable`), "The endpoint is disabled."),
});

export const testEndpoint = (endpoint) => action({
  label: "Send a test", harmless: true, scope: "admin", question: "Send a test message?",
  text: "One message without an event, without retries.",
  run: async () => {
    const { delivered, status, error, outcome, seconds } = await post(`v1/endpoints/${id(endpoint)}/test`);
    if (!delivered) throw new Refused(0, { detail: `not delivered: ${error ?? outcome}` });
    return `Delivered: status ${status} in ${seconds.toFixed(2)} s.`;
  },
});

export const redeliver = (endpoint, event = null) => action({
  label: event ? "Redeliver" : "Redeliver dead letters", harmless: true, scope: "admin",
  question: event ? "Redeliver the event?" : "Redeliver all dead letters?",
  text: "Its receiver gets the events again, with the same webhook-id.",
  command: event ? null : `txtrack webhook redeliver ${endpoint}`,
  run: async () => `${(await post(`v1/endpoints/${id(endpoint)}/redeliver`, event ? { event } : {})).count} events are redelivered.`,
});

const provider = (name, verb, label, text) => action({
  label, scope: "admin", question: `${label} ${name}?`, text, harmless: verb !== "pause",
  run: async () => `${name} is ${(await post(`v1/providers/${id(name)}/${verb}`)).state}.`,
});

export const pauseProvider = (name) => provider(name, "pause", "Pause", "The service sends it no requests until it is resumed.");
export const resumeProvider = (name) => provider(name, "resume", "Resume", "The service uses it again, once a check has succeeded.");
export const checkProvider = (name) => provider(name, "check", "Check", "The service checks its chain and its head now.");

export const checkProviders = (names) => action({
  label: "Check all providers", harmless: true, scope: "admin", question: "Check all providers?",
  text: "The service checks the chain and the head of each now.",
  command: "txtrack provider check",
  run: async () => {
    const found = await Promise.all(names.map((name) => post(`v1/providers/${id(name)}/check`)));
    return found.map(({ name, state }) => `${name} is ${state}`).join(", ") + ".";
  },
});

export const untrack = (transaction) => action({
  label: "Untrack", scope: "write", question: "Stop tracking the transaction?",
  text: "It becomes untracked and has no further events. Register it again to track it.",
  run: async () => {
    await post(`v1/transactions/${id(transaction)}`, undefined, {}, "DELETE");
    return "The transaction is untracked.";
  },
});
