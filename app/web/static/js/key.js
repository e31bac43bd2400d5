// Asks for an API key where the service wants one; it is kept in sessionStorage, which ends with the tab.
import { find } from "./dom.js";
import { hear, tell } from "./state.js";
import { words } from "./words.js";

let dismissed = false;

function openDialog(wrong) {
  const dialog = find("key-dialog");
  find("key-words").textContent = wrong ? words.keyWrong : words.keyFirst;
  if (!dialog.open) dialog.showModal();
}

export function startKey() {
  const dialog = find("key-dialog");
  hear("key-needed", (wrong) => {
    tell("gate", true);
    if (wrong) sessionStorage.removeItem("key");
    if (!dismissed || wrong) openDialog(wrong);
  });
  hear("ask-key", () => openDialog(false));
  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("key", find("key").value.trim());
    find("key").value = "";
    dismissed = false;
    dialog.close();
    tell("gate", false);
    tell("key");
  });
  find("key-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => (dismissed = true));
}
