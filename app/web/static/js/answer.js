// The photo is judged: the decision and the ranked classes, drawn again whenever something changes.
import { ask, photoForm } from "./api.js";
import { announce, bar, calm, find, glide, make, percent } from "./dom.js";
import { choose, shrink } from "./photo.js";
import { clearProblem, showProblem } from "./problems.js";
import { hear, state, tell } from "./state.js";
import { openTab } from "./tabs.js";
import { words } from "./words.js";

const ASKED = 20; // classes asked for
const FEW = 5; // classes shown at first
const NARROW = 820; // px, as in the style sheets: the photo stands above the answer
let asked = 0; // only the newest question may draw its answer
let all = false;

/** Judge the present photo. */
export async function judge({ fresh = false } = {}) {
  if (!state.photo) return;
  const mine = ++asked;
  const photo = state.photo;
  waiting(fresh);
  try {
    const query = { top_k: ASKED, candidates: state.candidates, gamma: state.gamma, min_revision: state.revision || null };
    const result = await ask("classify", { method: "POST", body: photoForm(photo), query });
    if (mine !== asked) return;
    clearProblem(find("photo-problem"));
    const ids = result.predictions.map((prediction) => prediction.class_id);
    if (!ids.slice(1).includes(state.versus)) state.versus = ids[1] ?? null;
    state.result = result;
    draw(result);
    tell("result", result);
  } catch (error) {
    if (mine !== asked) return;
    if (fresh) {
      state.result = null;
      find("result").hidden = true;
      find("empty").hidden = false;
    }
    showProblem(find("photo-problem"), error, { retry: () => judge({ fresh }), auto: true, look: fresh, shrink: () => refit(photo, error) });
  } finally {
    if (mine === asked) {
      find("frame").classList.remove("busy");
      find("waiting").hidden = true;
    }
  }
}

async function refit(photo, refusal) {
  try {
    choose(await shrink(photo), state.hint);
  } catch {
    showProblem(find("photo-problem"), refusal); // this browser cannot read it either
  }
}

function waiting(fresh) {
  find("frame").classList.add("busy");
  clearProblem(find("photo-problem"));
  if (!fresh) return;
  announce(words.thinking);
  find("empty").hidden = find("result").hidden = true;
  find("moved").hidden = true;
  find("waiting").hidden = false;
}

function draw(result) {
  find("empty").hidden = true;
  find("result").hidden = false;
  drawDecision(result);
  find("ranking-title").textContent = result.decision.accepted ? words.ranking : words.closest;
  glide(find("ranking"), (row) => row.dataset.id, () => drawRanking(result));
}

function drawDecision({ decision, predictions }) {
  const [first] = predictions;
  const box = find("decision");
  box.classList.toggle("none", !decision.accepted);
  const fit = bar((decision.score + 1) / 2, "fit");
  const mark = make("span", { class: "mark" });
  mark.style.left = `${50 * (decision.threshold + 1)}%`;
  fit.append(mark);
  box.replaceChildren(
    make("strong", {}, decision.accepted ? words.accepted(first.label) : words.none),
    make("p", {}, decision.accepted ? "" : words.noneMore(first.label)),
    make("div", { class: "fits" }, fit, make("span", { class: "small" }, words.fit(decision.score, decision.threshold))),
    make("button", { type: "button", class: "quiet", onclick: () => openTab("describe", { focus: true }) }, decision.accepted ? words.notRight : words.describeIt),
  );
}

function drawRanking({ predictions, decision }) {
  const own = predictions.findIndex((prediction) => prediction.class_id === state.added);
  const shown = all ? predictions : predictions.filter((_, rank) => rank < FEW || rank === own);
  const rows = shown.map((prediction) => row(prediction, predictions.indexOf(prediction)));
  const list = find("ranking");
  list.classList.toggle("refused", !decision.accepted);
  list.replaceChildren(...rows);
  find("more-ranks")?.remove();
  if (predictions.length <= FEW) return;
  const text = all ? words.showFewer : words.showMore(predictions.length - shown.length);
  const toggle = () => {
    all = !all;
    drawRanking({ predictions, decision });
    find("more-ranks").focus();
  };
  list.after(make("button", { id: "more-ranks", type: "button", class: "quiet", onclick: toggle }, text));
}

function row(prediction, rank) {
  const { class_id: id, label, seen, probability } = prediction;
  const name = make("span", { class: "name" }, make("b", {}, label), tag(seen));
  if (id === state.added) name.append(make("span", { class: "tag fresh" }, words.isNew));
  const button = make(
    "button",
    {
      type: "button",
      "aria-pressed": String(rank > 0 && id === state.versus),
      "aria-label": words.rankLabel(label, seen, percent(probability)),
      onclick: () => compare(rank === 0 ? state.result.predictions[1]?.class_id : id),
    },
    make("span", { class: "line" }, make("span", { class: "rank" }, String(rank + 1)), name, make("span", { class: "value" }, percent(probability))),
    bar(probability, seen ? "seen" : "unseen"),
  );
  return make("li", { "data-id": id, class: rank === 0 ? "first" : undefined }, button);
}

export const tag = (seen) => make("span", { class: seen ? "tag" : "tag unseen" }, seen ? words.seen : words.unseen);

/** Compare the first class with another. */
export function compare(id) {
  if (!id || id === state.versus) return;
  state.versus = id;
  for (const item of find("ranking").children) {
    item.firstElementChild.setAttribute("aria-pressed", String(item.dataset.id === id));
  }
  tell("versus", id);
}

/** After a class was stored: say where it stands for this photo. */
export async function judgeAgain(label, id) {
  const before = state.result?.predictions[0].class_id;
  state.added = id;
  if (before !== id) state.versus = before; // why it is this now, and no longer that
  openTab("answer", { focus: true });
  if (innerWidth <= NARROW) find("panels").parentElement.scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
  await judge();
  if (!state.result) return;
  const rank = state.result.predictions.findIndex((prediction) => prediction.class_id === id);
  const moved = find("moved");
  moved.textContent = rank < 0 ? words.notInList(label, state.result.predictions.length) : words.moved(label, rank + 1);
  moved.hidden = false;
  announce(moved.textContent);
}

export function startAnswer() {
  hear("photo", () => {
    all = false;
    state.added = state.result = null; // what is still on its way belongs to another photo
    openTab("answer");
    judge({ fresh: true });
  });
  hear("key", () => state.photo && judge({ fresh: !state.result }));
  hear("classes-changed", () => judge());
  find("candidates").addEventListener("change", (event) => {
    state.candidates = event.target.value;
    judge();
  });
}
