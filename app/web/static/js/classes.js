// The list of classes: search, edit, delete, hide; importing and exporting are in transfer.js.
import { ask, request, send } from "./api.js";
import { tag } from "./answer.js";
import { announce, fillWords, find, later, make } from "./dom.js";
import { edit } from "./describe.js";
import { clearProblem, showProblem } from "./problems.js";
import { hear, state, tell } from "./state.js";
import { openTab } from "./tabs.js";
import { transferControls } from "./transfer.js";
import { words } from "./words.js";

const PAGE = 50;
const KINDS = { all: {}, unseen: { seen: false }, seen: { seen: true }, hidden: { hidden: true } };
let asked = 0;

const problemBox = () => find("classes-problem");

function build() {
  const options = Object.keys(KINDS).map((kind) => make("option", { value: kind, "data-say": `kind${kind[0].toUpperCase()}${kind.slice(1)}` }));
  find("classes").replaceChildren(
    make(
      "div",
      { class: "filters", role: "search" },
      make("label", { class: "grow", for: "search" }, make("span", { class: "visually-hidden", "data-say": "searchLabel" }), make("input", { id: "search", type: "search", autocomplete: "off", "data-say-placeholder": "searchPlaceholder" })),
      make("label", { class: "select" }, make("span", { "data-say": "kindLabel" }), make("select", { id: "kind" }, ...options)),
    ),
    make("div", { id: "classes-problem", class: "problem", role: "alert", hidden: true }),
    make("p", { id: "count", class: "small", role: "status" }),
    make("ul", { id: "class-list", class: "class-list" }),
    make("button", { id: "load-more", type: "button", class: "quiet", "data-say": "loadMore", hidden: true, onclick: () => list(find("class-list").childElementCount) }),
    transferControls(() => list()),
  );
  fillWords(find("classes"));
  find("search").addEventListener("input", later(() => list(), 200));
  find("kind").addEventListener("change", () => list());
}

/** Fetch the classes that match, from `offset` on. */
async function list(offset = 0) {
  const mine = ++asked;
  const query = { ...KINDS[find("kind").value], q: find("search").value.trim(), limit: PAGE, offset, min_revision: state.revision || null };
  try {
    const page = await ask("classes", { query });
    if (mine !== asked) return;
    clearProblem(problemBox());
    const rows = page.classes.map(row);
    if (offset) find("class-list").append(...rows);
    else find("class-list").replaceChildren(...rows);
    const shown = offset + rows.length;
    find("count").textContent = page.total ? words.count(shown, page.total) : words.noneFound;
    find("load-more").hidden = shown >= page.total;
  } catch (error) {
    if (mine === asked) showProblem(problemBox(), error, { retry: () => list(offset), auto: true });
  }
}

function row({ id, label, seen, kind }) {
  const hidden = find("kind").value === "hidden";
  const act = (text, work, name) => make("button", { type: "button", class: `quiet ${name ?? ""}`, "aria-label": words.actOn(text, label), onclick: () => attempt(work) }, text);
  const actions = seen
    ? [hidden ? act(words.show, () => hide(id, label, false)) : act(words.hide, () => hide(id, label, true))]
    : [act(words.edit, () => edit(id)), act(words.remove, () => remove(id, label), "danger")];
  return make("li", { "data-id": id }, make("span", { class: "name" }, make("b", {}, label), tag(seen), make("span", { class: "small" }, words.how[kind] ?? kind)), make("span", { class: "actions" }, ...actions));
}

async function attempt(work) {
  try {
    clearProblem(problemBox());
    await work();
  } catch (error) {
    showProblem(problemBox(), error, { retry: () => attempt(work) });
  }
}

async function remove(id, label) {
  if (!(await sure(words.sureDelete(label), words.sureDeleteMore, words.remove))) return;
  const { revision } = await (await request(`classes/${encodeURIComponent(id)}`, { method: "DELETE" })).json();
  changed(revision, words.deleted(label));
}

async function hide(id, label, hidden) {
  const { body } = await send("PATCH", `classes/${encodeURIComponent(id)}`, { hidden });
  changed(body.revision, hidden ? words.hidden(label) : words.unhidden(label));
}

function changed(revision, told) {
  state.revision = revision;
  announce(told);
  list();
  tell("classes-changed");
}

/** Ask before something that cannot be undone. */
function sure(title, more, yes) {
  const dialog = find("sure-dialog");
  find("sure-title").textContent = title;
  find("sure-words").textContent = more;
  find("sure-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  find("sure-no").focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

export function startClasses() {
  build();
  find("sure-yes").addEventListener("click", () => find("sure-dialog").close("yes"));
  find("sure-no").addEventListener("click", () => find("sure-dialog").close());
  hear("tab", (name) => name === "classes" && list());
  hear("imported", () => tell("classes-changed"));
  hear("key", () => !find("classes").hidden && openTab("classes"));
}
