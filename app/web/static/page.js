"use strict";

const find = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};
const percent = (value) => (value * 100).toFixed(value < 0.1 ? 1 : 0) + " %";

let photo = null; // the file last chosen, so that another choice of candidates can classify it again
let asked = 0; // only the newest question may draw its answer

async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key"); // forgotten with the tab
  const answer = await fetch(path, key ? { ...options, headers: { Authorization: `Bearer ${key}` } } : options);
  const body = await answer.json();
  if (answer.status === 401 || answer.status === 403) askForKey();
  if (!answer.ok) throw body;
  return body;
}

function askForKey() {
  find("key").hidden = false;
  for (const link of document.querySelectorAll(".keyed")) link.hidden = true; // a plain link cannot send the key
}

function useKey(event) {
  event.preventDefault();
  sessionStorage.setItem("key", find("key-value").value.trim());
  find("key").hidden = find("problem").hidden = true;
  introduce();
  if (photo) classify();
}

function bar(value, name) {
  const progress = make("progress", undefined, name);
  progress.max = 1;
  progress.value = Math.max(0, Math.min(1, value));
  return progress;
}

function line(left, value) {
  const row = make("div", undefined, "line");
  row.append(left, make("span", value, "value"));
  return row;
}

function drawRanking(result, chosen) {
  find("ranking").replaceChildren(...result.predictions.map((prediction) => {
    const name = make("b", prediction.label);
    name.append(make("span", prediction.seen ? "seen" : "unseen", prediction.seen ? "tag" : "tag unseen"));
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(prediction.class_id === chosen));
    button.append(
      line(name, `${percent(prediction.probability)} · score ${prediction.score.toFixed(2)}`),
      bar(prediction.probability, prediction.seen ? "" : "unseen-bar"),
    );
    button.addEventListener("click", () => explain(result, prediction.class_id).catch(showProblem));
    const item = make("li");
    item.append(button);
    return item;
  }));
}

function drawExplanation(explanation) {
  const { class: shown, grounding } = explanation;
  const largest = Math.max(...shown.contributions.map((part) => part.contribution), 1e-9);
  find("why-title").textContent = `Why ${shown.label}`;
  find("why").replaceChildren(...shown.contributions.map((part) => {
    const item = make("li");
    item.append(line(make("span", part.attribute), part.contribution.toFixed(3)), bar(part.contribution / largest));
    return item;
  }));
  find("grounding").replaceChildren(...grounding.map((set) => {
    const card = make("div");
    card.append(make("h3", set.prompt), ...set.attributes.map((attribute) => {
      const row = make("p", attribute.name);
      row.append(make("span", percent(attribute.score)));
      return row;
    }));
    return card;
  }));
  find("small").textContent =
    `The ${shown.contributions.length} largest contributions; with the rest (${shown.rest.toFixed(3)}) they sum to the ` +
    `score ${shown.score.toFixed(3)}. Model ${explanation.model.id}, revision ${explanation.revision}.`;
}

async function explain(result, classId) {
  drawRanking(result, classId);
  const query = new URLSearchParams({ image_id: result.image_id, class_id: classId, limit: "8" });
  drawExplanation(await ask(`explain?${query}`));
}

function showProblem(problem) {
  const box = find("problem");
  box.replaceChildren(make("strong", problem.title || "No answer"), problem.detail || "The service cannot be reached.", " ");
  if (problem.advice) box.append(problem.advice);
  box.hidden = false;
}

async function classify() {
  const mine = ++asked;
  const candidates = document.querySelector("input[name=candidates]:checked").value;
  find("drop").classList.add("busy");
  find("empty").hidden = find("problem").hidden = true;
  const form = new FormData();
  form.append("image", photo);
  try {
    const result = await ask(`classify?candidates=${candidates}&top_k=5`, { method: "POST", body: form });
    if (mine !== asked) return;
    const decision = find("decision");
    decision.textContent = result.decision.reason;
    decision.classList.toggle("none", !result.decision.accepted);
    await explain(result, result.predictions[0].class_id);
    find("result").hidden = false;
  } catch (problem) {
    if (mine !== asked) return;
    find("result").hidden = true;
    showProblem(problem);
  } finally {
    if (mine === asked) find("drop").classList.remove("busy");
  }
}

function choose(file) {
  if (!file) return;
  photo = file;
  const preview = find("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  find("hint").hidden = true;
  classify();
}

async function introduce() {
  const status = find("status");
  try {
    const [ready, seen, attributes] = await Promise.all([ask("readyz"), ask("classes?seen=true&limit=1"), ask("attributes")]);
    status.textContent = `ready · ${ready.model}`;
    status.className = "pill good";
    const facts = { "seen classes": seen.total, "unseen, registered": ready.classes - seen.total, attributes: attributes.count };
    find("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
      const box = make("div");
      box.append(make("dt", name), make("dd", String(value)));
      return box;
    }));
  } catch (problem) {
    status.textContent = find("key").hidden ? "not ready" : "key needed";
    status.className = "pill bad";
    showProblem(problem);
  }
}

find("preview").addEventListener("error", () => {
  find("preview").hidden = true;
  find("hint").hidden = false;
});

const drop = find("drop");
find("file").addEventListener("change", (event) => choose(event.target.files[0]));
for (const input of document.querySelectorAll("input[name=candidates]")) {
  input.addEventListener("change", () => photo && classify());
}
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") choose(event.dataTransfer.files[0]);
  });
}
const base = location.href.replace(/[?#].*$/, "").replace(/\/$/, "");
for (const place of document.querySelectorAll(".origin")) place.textContent = base;
find("key").addEventListener("submit", useKey);
introduce();
