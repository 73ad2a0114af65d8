// Confirmation of an action, in the dialog `#confirm`.

import { byId, setText } from "./dom.js";

/**
 * Ask the user, and return whether the answer is yes.
 *
 * @param title The question.
 * @param text What the action does.
 * @param yes Text of the button.
 * @param harmless Whether the action takes nothing away: its button is not red.
 */
export function confirmed(title, text, yes, harmless = false) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-yes"), yes);
  byId("confirm-yes").dataset.tone = harmless ? "wait" : "bad";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
