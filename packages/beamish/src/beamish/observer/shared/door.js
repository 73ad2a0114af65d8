// The sign-in form. A refused token is discarded, and no request is sent until the user enters
// another token: a service can block addresses that send wrong tokens.

import { forgetToken, hasToken, keepToken } from "./requests.js";
import { byId, setText } from "./dom.js";

const VISIBLE = /^[\x21-\x7e]{1,500}$/;

/** Wait until the user enters a token; `error` is why a token is needed. */
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
  if (error.status === 403) return `The token is valid, but lacks the scope ${missing(error)}.`;
  if (sent) return "The token is unknown, expired or revoked. It was discarded; enter another one.";
  return "This service requires a token.";
}

const missing = (error) => /scope '(\w+)'/.exec(error.message)?.[1] ?? "read";

function given(form) {
  const field = byId("token");
  return new Promise((resolve) => {
    form.addEventListener("submit", function read(event) {
      event.preventDefault();
      const text = field.value.trim();
      if (!VISIBLE.test(text)) {
        setText(byId("refusal"), "This is not a valid token: a token is one word of visible characters. Nothing was sent.");
        return;
      }
      field.value = "";
      form.removeEventListener("submit", read);
      resolve(text);
    });
  });
}
