// Describe a class in a sentence, see how it is understood while writing, correct it with sliders, store it.
import { ask, request, send } from "./api.js";
import { judgeAgain } from "./answer.js";
import { announce, fillWords, find, later, make } from "./dom.js";
import { clearProblem, showProblem } from "./problems.js";
import { sliders } from "./sliders.js";
import { hear, state, tell } from "./state.js";
import { openTab } from "./tabs.js";
import { words } from "./words.js";

const PAUSE = 350; // ms without a keystroke before the sentence is read
const empty = () => ({ editing: null, sentence: "", read: [], degrees: {}, touched: {} });
let draft = empty();
let asking = null;

const slug = (label) => label.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64).replace(/-+$/, "");

function form() {
  const panel = find("describe");
  panel.replaceChildren(
    make("h2", { id: "describe-title" }),
    make(
      "form",
      { id: "describe-form", novalidate: true },
      make("label", { for: "name", "data-say": "nameLabel" }),
      make("input", { id: "name", type: "text", maxlength: 120, autocomplete: "off", "data-say-placeholder": "namePlaceholder" }),
      make("label", { for: "sentence", "data-say": "sentenceLabel" }),
      make("textarea", { id: "sentence", rows: 3, maxlength: 2000, "aria-describedby": "sentence-hint", "data-say-placeholder": "sentencePlaceholder" }),
      make("p", { id: "sentence-hint", class: "small", "data-say": "sentenceHint" }),
      make("button", { id: "use-hint", type: "button", class: "quiet", hidden: true }),
      make("div", { id: "read", class: "read" }, make("p", { id: "read-words", role: "status" }), make("ul", { id: "read-notes", class: "notes" }), make("div", { id: "sliders" })),
      make("p", { id: "touched", class: "small", hidden: true }),
      make("div", { id: "describe-problem", class: "problem", role: "alert", hidden: true }),
      make("div", { class: "row save" }, make("button", { id: "save", type: "submit", class: "button main" }), make("button", { id: "leave", type: "button", class: "button", "data-say": "cancel" })),
    ),
  );
  fillWords(panel);
}

function draw() {
  find("describe-title").textContent = draft.editing ? words.editTitle(draft.editing.label) : words.describeTitle;
  find("save").textContent = state.photo ? words.save : words.saveAlone;
  find("leave").hidden = !draft.editing;
  const hint = find("use-hint");
  hint.hidden = Boolean(draft.editing) || !state.hint?.sentence || find("sentence").value !== "";
  if (!hint.hidden) hint.textContent = words.useHint(state.hint.name);
  find("read-words").textContent = draft.read.length ? words.understood(draft.read.length, new Set(draft.read.map((a) => a.key.split(":")[0])).size) : draft.editing ? "" : words.nothingYet;
  const known = Object.keys(draft.degrees).length > 0;
  find("sliders").replaceChildren(...(known ? sliders({ schema: state.schema, ...draft, onTouch: drawTouched }) : []));
  drawTouched();
}

function drawTouched() {
  const count = Object.keys(draft.touched).length;
  const box = find("touched");
  box.hidden = count === 0;
  if (!count) return;
  const undo = () => {
    draft.touched = {};
    draw();
  };
  box.replaceChildren(words.touched(count), " ", make("button", { type: "button", class: "quiet", onclick: undo }, words.undoTouched));
}

function drawNotes(interpretation, twins) {
  const told = [];
  if (interpretation.words_not_used.length) told.push(words.unused(interpretation.words_not_used));
  if (interpretation.parts_not_known.length) told.push(words.foreign(interpretation.parts_not_known));
  const others = twins.filter((twin) => twin.class_id !== draft.editing?.id);
  if (others.length) told.push(words.twin(others));
  find("read-notes").replaceChildren(...told.map((text) => make("li", {}, text)));
}

/** Ask how the sentence is understood; nothing is stored. */
async function read() {
  asking?.abort();
  const sentence = find("sentence").value.trim();
  if (sentence === draft.sentence) return;
  draft.sentence = sentence;
  clearProblem(find("describe-problem"));
  if (!sentence) {
    Object.assign(draft, { read: [], degrees: draft.editing?.degrees ?? {} });
    find("read-notes").replaceChildren();
    draw();
    return;
  }
  asking = new AbortController();
  find("read-words").textContent = words.reading;
  try {
    const body = { id: `draft-${crypto.getRandomValues(new Uint32Array(1))[0]}`, label: "draft", prompt: sentence };
    const { body: answer } = await send("POST", "classes?dry_run=true", body, { signal: asking.signal });
    draft.read = answer.interpretation.attributes;
    draft.degrees = Object.fromEntries(answer.degrees.map(({ key, degree }) => [key, degree]));
    drawNotes(answer.interpretation, answer.near_duplicates);
    draw();
  } catch (error) {
    if (error.name === "AbortError") return;
    draft.sentence = ""; // so that the same sentence can be read again
    Object.assign(draft, { read: [] });
    draw();
    showProblem(find("describe-problem"), error, { retry: read, auto: true });
  }
}

/** What is sent: the sentence as it is, or, once a slider was moved, every degree. */
function description() {
  const { sentence, editing, touched } = draft;
  if (!Object.keys(touched).length) return sentence && sentence !== editing?.prompt ? { prompt: sentence } : {};
  return { attributes: { ...draft.degrees, ...draft.touched } };
}

async function save(event) {
  event?.preventDefault();
  await read();
  const box = find("describe-problem");
  const label = find("name").value.trim();
  const missing = label === "" ? words.needName : !draft.editing && !draft.sentence && !Object.keys(draft.touched).length ? words.needSentence : "";
  if (missing) {
    box.replaceChildren(make("strong", {}, missing));
    box.hidden = false;
    find(label === "" ? "name" : "sentence").focus();
    return;
  }
  if (!box.hidden) return; // the sentence was not understood; that is told already
  find("save").disabled = true;
  find("save").textContent = words.saving;
  try {
    const { body } = draft.editing
      ? await send("PATCH", `classes/${draft.editing.id}`, { label, ...description() }, { headers: { "If-Match": draft.editing.etag } })
      : await send("POST", "classes", { id: slug(label) || `class-${Date.now()}`, label, ...description() });
    state.revision = body.revision;
    startAfresh();
    tell("stored", body);
    if (state.photo) await judgeAgain(body.label, body.id);
    else {
      find("read-words").textContent = words.stored(body.label);
      announce(words.stored(body.label));
    }
  } catch (error) {
    showProblem(box, error, { retry: () => save() });
  } finally {
    find("save").disabled = false;
    find("save").textContent = state.photo ? words.save : words.saveAlone;
  }
}

function startAfresh() {
  asking?.abort();
  draft = empty();
  find("name").value = find("sentence").value = "";
  find("read-notes").replaceChildren();
  clearProblem(find("describe-problem"));
  draw();
}

/** Open a registered class for changes, at the version that is seen now. */
export async function edit(id) {
  const answer = await request(`classes/${encodeURIComponent(id)}`);
  const detail = await answer.json();
  startAfresh();
  const degrees = Object.fromEntries(detail.attributes.map(({ key, degree }) => [key, degree]));
  draft.editing = { id, label: detail.label, prompt: detail.prompt ?? "", etag: answer.headers.get("ETag"), degrees };
  draft.degrees = degrees;
  find("name").value = detail.label;
  find("sentence").value = detail.prompt ?? "";
  draw();
  openTab("describe");
  find("name").focus();
  await read();
}

export function startDescribe() {
  form();
  find("sentence").addEventListener("input", later(read, PAUSE));
  find("sentence").addEventListener("input", () => (find("use-hint").hidden = true));
  find("describe-form").addEventListener("submit", save);
  find("leave").addEventListener("click", () => {
    startAfresh();
    openTab("classes", { focus: true });
  });
  find("use-hint").addEventListener("click", () => {
    find("name").value = state.hint.name;
    find("sentence").value = state.hint.sentence;
    read();
    find("sentence").focus();
  });
  hear("photo", () => !draft.editing && draw());
  hear("started", async () => {
    state.schema = await ask("attributes");
    draw();
  });
}
