// Why this class, why not another, and what would have to be different: GET /explain in words and bars.
import { ask } from "./api.js";
import { judge, compare } from "./answer.js";
import { bar, find, make } from "./dom.js";
import { showsHeat } from "./heat.js";
import { showProblem } from "./problems.js";
import { hear, state, tell } from "./state.js";
import { words } from "./words.js";

const REASONS = 6; // contributions shown of a class
const SIDES = 4; // of each side of a comparison
const EDITS = 4;

async function explain() {
  const { result, versus } = state;
  const first = result.predictions[0].class_id;
  const query = { image_id: result.image_id, class_id: first, versus, edits: Boolean(versus) && state.candidates === "all", gamma: state.gamma, min_revision: state.revision || null };
  try {
    const explanation = await ask("explain", { query });
    if (result !== state.result || versus !== state.versus) return; // something newer is on its way
    draw(explanation);
    tell("explained", explanation);
  } catch (error) {
    if (result !== state.result) return;
    const box = make("div", { class: "problem", role: "alert" });
    find("why").replaceChildren(box);
    showProblem(box, error, { retry: error.slug === "image-not-found" ? () => judge() : explain });
  }
}

function draw(explanation) {
  const shown = explanation.class;
  const parts = shown.contributions.slice(0, REASONS);
  const rest = shown.score - parts.reduce((sum, part) => sum + part.contribution, 0);
  const largest = Math.max(...parts.map((part) => Math.abs(part.contribution)), 1e-9);
  find("why").replaceChildren(
    make("div", { class: "head" }, make("h2", {}, words.why(shown.label)), where({ class_id: shown.class_id }, words.whereClass(shown.label), shown.label)),
    make("p", { class: "small" }, words.whyMore),
    make("ol", { class: "reasons" }, ...parts.map((part) => reason(part, largest))),
    make("p", { class: "small" }, words.score(parts.length, rest, shown.score)),
    ...whyNot(explanation),
  );
  find("model").textContent = words.model(explanation.model.id, explanation.revision);
}

/** A button that shows where the photo shows a class, or a difference of classes. */
function where(subject, label, what) {
  const button = make("button", { type: "button", class: "quiet heats", "aria-label": label }, words.where);
  showsHeat(button, subject, what);
  return button;
}

function reason(part, largest) {
  const value = part.contribution.toFixed(2);
  const button = make(
    "button",
    { type: "button", class: "heats", "aria-label": words.contributionLabel(part.attribute, value) },
    make("span", { class: "line" }, make("span", {}, part.attribute), make("span", { class: "value" }, value)),
    bar(part.contribution / largest, "thin"),
  );
  showsHeat(button, { attribute: part.attribute }, part.attribute);
  return make("li", {}, button);
}

function whyNot({ class: first, contrast, edits }) {
  const others = state.result.predictions.slice(1);
  if (!contrast) return [make("h2", {}, words.why(first.label)), make("p", { class: "small" }, words.noOther)].slice(1);
  const options = others.map((other) => make("option", { value: other.class_id }, other.label));
  const select = make("select", { onchange: (event) => compare(event.target.value) }, ...options);
  select.value = contrast.versus;
  const by = contrast.calibrated_difference;
  const behind = (-contrast.score_difference).toFixed(2);
  const lead = contrast.score_difference >= 0 || by < 0 ? words.ahead : (a, b) => (Number(behind) ? words.behind(a, b, behind) : words.level(a, b));
  return [
    make("div", { class: "head" }, make("h2", {}, words.whyNot(contrast.label)), where({ class_id: first.class_id, versus: contrast.versus }, words.whereVersus(first.label, contrast.label), `${first.label} – ${contrast.label}`), make("label", { class: "select" }, make("span", {}, words.versus), select)),
    make("p", { class: "small" }, lead(first.label, contrast.label, by.toFixed(2))),
    sides(first, contrast),
    ...wouldBe(contrast, edits),
  ];
}

function sides(first, contrast) {
  const all = contrast.contributions;
  const shown = [...all.slice(0, SIDES).filter((p) => p.contribution > 0), ...all.slice(-SIDES).filter((p) => p.contribution < 0)];
  const largest = Math.max(...shown.map((part) => Math.abs(part.contribution)), 1e-9);
  const rows = shown.map((part) => {
    const mine = part.contribution > 0;
    const fill = bar(Math.abs(part.contribution) / largest, mine ? "thin" : "thin other");
    const told = words.diverging(part.attribute, mine ? first.label : contrast.label, Math.abs(part.contribution).toFixed(2));
    return make("li", { class: mine ? "left" : "right" }, make("span", { class: "visually-hidden" }, told), make("span", { class: "half", "aria-hidden": "true" }, part.attribute), make("span", { class: "half" }, fill));
  });
  return make(
    "div",
    { class: "sides" },
    make("p", { class: "sides-head small", "aria-hidden": "true" }, make("span", {}, words.speaksFor(first.label)), make("span", {}, words.speaksFor(contrast.label))),
    make("ol", {}, ...rows),
  );
}

function wouldBe(contrast, edits) {
  if (!edits || edits.class_id !== contrast.versus) return [];
  const lists = [
    [words.photoShowed, edits.photo_attributes, null], // v is on a scale of its own: more or less says enough
    [words.classHad, edits.class_degrees, words.editValue],
  ].filter(([, list]) => list?.length && list.length <= 3 * EDITS);
  const head = make("h3", {}, words.wouldBe(contrast.label));
  if (!lists.length) return [head, make("p", { class: "small" }, words.noEdits)];
  return [head, make("div", { class: "edits" }, ...lists.map((list) => editList(...list)))];
}

function editList(title, list, value) {
  const items = list.slice(0, EDITS).map((edit) => {
    const text = edit.after > edit.before ? words.more(edit.attribute) : words.less(edit.attribute);
    return make("li", {}, make("span", {}, text), value && make("span", { class: "value" }, value(edit)));
  });
  return make("div", {}, make("p", { class: "small" }, title), make("ul", {}, ...items));
}

export function startWhy() {
  hear("result", explain);
  hear("versus", explain);
  hear("photo", () => find("why").replaceChildren());
}
