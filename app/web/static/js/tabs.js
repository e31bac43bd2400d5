// Three panels, of which one is shown: the keyboard pattern of a tab list.
import { find } from "./dom.js";
import { tell } from "./state.js";

const names = ["answer", "describe", "classes"];

/** Show a panel; with `focus`, its tab gets the focus. */
export function openTab(name, { focus = false } = {}) {
  for (const other of names) {
    const tab = find(`tab-${other}`);
    tab.setAttribute("aria-selected", String(other === name));
    tab.tabIndex = other === name ? 0 : -1;
    find(other).hidden = other !== name;
  }
  document.body.dataset.tab = name;
  if (focus) find(`tab-${name}`).focus();
  tell("tab", name);
}

export function startTabs() {
  names.forEach((name, index) => {
    const tab = find(`tab-${name}`);
    tab.addEventListener("click", () => openTab(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const edge = { Home: 0, End: names.length - 1 }[event.key];
      if (step === undefined && edge === undefined) return;
      event.preventDefault();
      openTab(names[edge ?? (index + step + names.length) % names.length], { focus: true });
    });
  });
}
