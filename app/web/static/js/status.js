// How the service stands: the pill in the header, the note about a store that is away, and the figures at the start.
import { ask } from "./api.js";
import { find, make } from "./dom.js";
import { clearProblem, showProblem } from "./problems.js";
import { hear, tell } from "./state.js";
import { words } from "./words.js";

const LOOK = 15_000; // ms between looks while all is well
const LOOK_AGAIN = 3_000; // and while something is wrong
let timer;
let gate = false; // a key is asked for

function pill(text, kind) {
  const status = find("status");
  if (status.textContent !== text) status.textContent = text;
  status.className = `pill ${kind}`;
}

function stale(seconds) {
  const banner = find("banner");
  banner.hidden = seconds === null;
  if (seconds !== null) banner.textContent = words.stale(seconds);
}

async function look() {
  clearTimeout(timer);
  let wait = LOOK;
  try {
    const ready = await ask("readyz");
    if (gate) pill(words.keyNeeded, "bad");
    else pill(words.ready(ready.model), "good");
    stale(ready.store.trouble === null ? null : ready.store.age_seconds);
    if (ready.store.trouble !== null) wait = LOOK_AGAIN;
  } catch (error) {
    pill(error.status === 0 ? words.unreachable : words.notReady, "bad");
    wait = LOOK_AGAIN;
  }
  lookIn(document.hidden ? 4 * wait : wait);
}

function lookIn(wait) {
  clearTimeout(timer);
  timer = setTimeout(look, wait);
}

/** The figures of the first view, and what the other parts wait for. */
async function begin() {
  const box = find("gate-box");
  try {
    const counts = await Promise.all([{ seen: true }, { seen: false }].map((query) => ask("classes", { query: { ...query, limit: 1 } })));
    const attributes = await ask("attributes");
    const facts = [
      [words.facts.seen, counts[0].total],
      [words.facts.unseen, counts[1].total],
      [words.facts.attributes, attributes.count],
    ];
    find("facts").replaceChildren(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value.toLocaleString("en")))));
    clearProblem(box);
    tell("started");
  } catch (error) {
    const retry = error.status === 401 ? () => tell("ask-key") : begin;
    showProblem(box, error, { retry, auto: error.status !== 401 });
  }
}

export function startStatus() {
  hear("stale", (seconds) => {
    stale(seconds);
    if (seconds !== null) lookIn(LOOK_AGAIN);
  });
  hear("gate", (closed) => {
    gate = closed;
    if (closed) pill(words.keyNeeded, "bad");
    else look();
  });
  hear("reached", (reached) => {
    if (!reached) pill(words.unreachable, "bad");
    else if (find("status").textContent === words.unreachable) look();
  });
  hear("key", begin);
  addEventListener("online", look);
  addEventListener("offline", () => pill(words.unreachable, "bad"));
  document.addEventListener("visibilitychange", () => !document.hidden && look());
  look();
  return begin();
}
