// Building and finding elements; no text of its own, and never markup from strings.
import { words } from "./words.js";

export const find = (id) => document.getElementById(id);

/** An element: `make("button", { class: "chip", type: "button", onclick }, "text", child)`. */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Fill every element that names its words in `data-say` (text) or `data-say-NAME` (an attribute). */
export function fillWords(root = document) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = words[element.dataset.say];
  for (const name of ["label", "placeholder", "alt", "title"]) {
    const attribute = name === "label" ? "aria-label" : name;
    for (const element of root.querySelectorAll(`[data-say-${name}]`)) {
      element.setAttribute(attribute, words[element.getAttribute(`data-say-${name}`)]);
    }
  }
}

/** A bar 0…1. Its number stands beside it as text, so it is hidden from screen readers. */
export function bar(value, name = "") {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${100 * Math.max(0, Math.min(1, value))}%`;
  return make("span", { class: `bar ${name}`, "aria-hidden": "true" }, fill);
}

export const percent = (value) => (value >= 0.9995 ? "100" : (value * 100).toFixed(value < 0.1 ? 1 : 0)) + " %";

/** Call `work` once nothing has asked for it for `wait` ms. */
export function later(work, wait) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Say something to screen readers without moving the focus. */
export function announce(text) {
  find("announcer").textContent = "";
  setTimeout(() => (find("announcer").textContent = text), 50);
}

/** Move children from where they were to where they are (FLIP), for those who like motion. */
export function glide(list, keyOf, change) {
  const before = new Map([...list.children].map((child) => [keyOf(child), child.getBoundingClientRect().top]));
  change();
  if (calm() || !before.size) return;
  for (const child of list.children) {
    const top = before.get(keyOf(child));
    const from = top === undefined ? { opacity: 0 } : { transform: `translateY(${top - child.getBoundingClientRect().top}px)` };
    child.animate([from, {}], { duration: 350, easing: "cubic-bezier(.2,.8,.2,1)" });
  }
}
