// The form for name and password: logs in, or registers and then logs in.

import { byId, onSubmit, setText } from "./dom.js";
import { keepName, lastName } from "./memory.js";

/** `enter(name, password, isNew)` is called with what was filled in; it may throw an error for people. */
export function loginView(enter) {
  const form = byId("login-form");
  const error = byId("login-error");
  const { name, password } = form.elements;
  name.value = lastName();

  async function submit(isNew) {
    if (!form.reportValidity()) return;
    setText(error, "");
    form.querySelectorAll("button").forEach((each) => (each.disabled = true));
    try {
      await enter(name.value.trim(), password.value, isNew);
      keepName(name.value.trim());
    } catch (refused) {
      setText(error, refused.message);
      password.focus();
    } finally {
      form.querySelectorAll("button").forEach((each) => (each.disabled = false));
    }
  }

  onSubmit(form, () => submit(false));
  byId("register").addEventListener("click", () => submit(true));

  return {
    show(reason) {
      byId("login").hidden = false;
      password.value = "";
      setText(error, reason ?? "");
      (name.value ? password : name).focus();
    },
    hide() {
      byId("login").hidden = true;
      password.value = "";
    },
  };
}
