// The heat map over the photo: asked for when somebody points at a property, kept for the photo that is shown.
import { photoForm, request } from "./api.js";
import { find } from "./dom.js";
import { showProblem } from "./problems.js";
import { hear, state } from "./state.js";
import { words } from "./words.js";

const PAUSE = 160; // ms somebody has to stay: passing over a chip asks for nothing
const kept = new Map(); // subject -> object URL, for the present photo
let shown = null; // subject on the photo, or about to be
let asking = null;
let timer;

/** Make `element` show the map of `subject` (a query of /explain/map) while it is pointed at, focused, or pinned. */
export function showsHeat(element, subject, what) {
  const show = () => begin(element, subject, what);
  const hide = () => element.getAttribute("aria-pressed") !== "true" && end(subject);
  element.setAttribute("aria-pressed", "false");
  element.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show());
  element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  element.addEventListener("focus", () => element.matches(":focus-visible") && show());
  element.addEventListener("blur", hide);
  element.addEventListener("click", () => {
    const pin = element.getAttribute("aria-pressed") !== "true";
    unpin();
    element.setAttribute("aria-pressed", String(pin));
    if (pin) show();
    else end(subject);
  });
}

function unpin() {
  for (const pinned of document.querySelectorAll(".heats[aria-pressed=true]")) pinned.setAttribute("aria-pressed", "false");
}

const keyOf = (subject) => new URLSearchParams(subject).toString();

function begin(element, subject, what) {
  const key = keyOf(subject);
  if (shown === key || !state.photo) return;
  for (const pinned of document.querySelectorAll(".heats[aria-pressed=true]")) {
    if (pinned !== element) pinned.setAttribute("aria-pressed", "false");
  }
  stop();
  shown = key;
  timer = setTimeout(() => fetchMap(key, subject, what), kept.has(key) ? 0 : PAUSE);
}

function end(subject) {
  if (shown !== keyOf(subject)) return;
  stop();
  find("heat").hidden = true;
  find("caption").textContent = words.captionHint;
}

function stop() {
  clearTimeout(timer);
  asking?.abort();
  asking = shown = null;
  find("spinner").hidden = true;
}

async function fetchMap(key, subject, what) {
  try {
    if (!kept.has(key)) {
      asking = new AbortController();
      find("spinner").hidden = false;
      find("caption").textContent = words.captionWait(what);
      const options = { method: "POST", body: photoForm(state.photo), query: subject, signal: asking.signal };
      kept.set(key, URL.createObjectURL(await (await request("explain/map", options)).blob()));
    }
    if (shown !== key) return;
    const heat = find("heat");
    heat.src = kept.get(key);
    heat.alt = words.heatAlt(what);
    heat.hidden = false;
    find("caption").textContent = words.captionHeat(what);
  } catch (error) {
    if (error.name === "AbortError") return;
    shown = null;
    find("caption").textContent = words.captionHint;
    showProblem(find("photo-problem"), error, { retry: () => fetchMap(key, subject, what) });
  } finally {
    if (shown === key || shown === null) find("spinner").hidden = true;
  }
}

function forget() {
  stop();
  for (const url of kept.values()) URL.revokeObjectURL(url);
  kept.clear();
  find("heat").hidden = true;
  find("caption").textContent = "";
}

export function startHeat() {
  hear("photo", forget);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || shown === null) return;
    unpin();
    stop();
    find("heat").hidden = true;
    find("caption").textContent = words.captionHint;
  });
}
