// Confirmation of an action, in the dialog `#confirm`.

import { byId, setText } from "./dom.js";

/**
 * Ask the user, and return whether the answer is yes.
 *
 * @param title The question.
 * @param text What the action does.
 * @param yes Text of the button.
 */
export function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
