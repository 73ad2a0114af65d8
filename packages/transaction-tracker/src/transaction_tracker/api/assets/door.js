// Asking for a token. One that was refused is forgotten, and nothing is asked until another comes:
// the service listens to nobody who guesses.

import { forgetToken, hasToken, keepToken } from "./api.js";
import { byId, setText } from "./dom.js";

const VISIBLE = /^[\x21-\x7e]{1,500}$/;

/** Wait until somebody gives a token; `error` says why one is needed. */
export async function token(error) {
  const form = byId("door");
  const refusal = because(error, hasToken());
  forgetToken();
  byId("inside").hidden = byId("forget").hidden = true;
  form.hidden = false;
  setText(byId("refusal"), refusal);
  byId("token").focus();
  keepToken(await given(form));
  form.hidden = true;
}

function because(error, sent) {
  if (error.status === 403) return "This token was accepted, but lacks the scope read: with it nothing can be shown.";
  if (sent) return "The token was refused: it is unknown, expired or revoked. It was forgotten, and is not tried again.";
  return "This service is answered to those who have a token.";
}

function given(form) {
  const field = byId("token");
  return new Promise((resolve) => {
    form.addEventListener("submit", function read(event) {
      event.preventDefault();
      const text = field.value.trim();
      if (!VISIBLE.test(text)) {
        setText(byId("refusal"), "This is no token: it is one word, txt_ and what follows. Nothing was sent.");
        return;
      }
      field.value = "";
      form.removeEventListener("submit", read);
      resolve(text);
    });
  });
}
