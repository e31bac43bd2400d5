// Every refusal as a message that says what to do, with a way to go on where there is one.
import { make } from "./dom.js";
import { words } from "./words.js";

const counting = new WeakMap();

/** Take away the message shown in `box`. */
export function clearProblem(box) {
  clearInterval(counting.get(box));
  box.hidden = true;
  box.replaceChildren();
}

/**
 * Show what went wrong in `box`.
 *
 * @param {object} [ways] `retry`: tries again, by itself when the service named a time and `auto` is set;
 *   `shrink`: makes the photo smaller, or another type, and tries again.
 */
export function showProblem(box, error, ways = {}) {
  clearProblem(box);
  if (error.name === "AbortError") return;
  if (error.problem === undefined) throw error; // a fault of the page, not an answer of the service
  const told = words.problems[error.slug];
  const { problem } = error;
  const text = told ? told.text(problem) : [problem.detail, problem.advice].filter(Boolean).join(" ");
  box.append(make("strong", {}, told?.title ?? problem.title ?? words.noAnswer), make("p", {}, text || words.tryLater));
  if (Array.isArray(problem.errors) && problem.errors.length) box.append(rows(problem.errors));
  const actions = make("p", { class: "actions" });
  if (ways.shrink && told?.shrink) actions.append(button(words.shrink, () => again(box, ways.shrink)));
  if (ways.retry && (error.retryAfter || told?.retry)) actions.append(...retry(box, error, ways));
  if (actions.childElementCount) box.append(actions);
  box.hidden = false;
}

function rows(errors) {
  const shown = errors.slice(0, 6).map((row) => {
    const nearest = row.nearest?.length ? words.didYouMean(row.nearest[0]) : "";
    const place = row.line ?? row.row ?? row.where;
    return make("li", {}, [place === undefined ? "" : words.place(place), row.message ?? row.detail, nearest].filter(Boolean).join(" "));
  });
  return make("ul", {}, ...shown);
}

const button = (text, onclick) => make("button", { type: "button", class: "quiet", onclick }, text);

function again(box, work) {
  clearProblem(box);
  work();
}

function retry(box, error, { retry: work, auto }) {
  const go = button(words.tryAgain, () => again(box, work));
  if (!error.retryAfter) return [go];
  let left = error.retryAfter;
  const told = make("span", { class: "countdown", role: "timer" }, words.againIn(left, auto));
  counting.set(
    box,
    setInterval(() => {
      left -= 1;
      told.textContent = left > 0 ? words.againIn(left, auto) : words.againNow;
      if (left > 0) return;
      clearInterval(counting.get(box));
      if (auto) again(box, work);
    }, 1000),
  );
  return [told, go];
}
