// The degrees of a class as sliders, one group a prompt set; groups not spoken of are made when they are opened.
import { make } from "./dom.js";
import { words } from "./words.js";

const OPENED = 3; // sliders of a group that nothing was said about, when it is opened

/**
 * Sliders for a class.
 *
 * @param {object} given `schema` (GET /attributes), `degrees` (key -> 0…1), `read` (the attributes understood),
 *   `touched` (key -> degree, changed in place), `onTouch` called after a slider was moved.
 */
export function sliders({ schema, degrees, read, touched, onTouch }) {
  const phrases = new Map(read.map((attribute) => [attribute.key, attribute.phrase]));
  const context = { degrees, touched, onTouch, phrases };
  const spoken = [];
  const silent = [];
  for (const set of schema.prompt_sets) {
    const named = set.attributes.filter((attribute) => phrases.has(attribute.key) || attribute.key in touched);
    if (named.length) spoken.push(group(set, named, context));
    else silent.push(closed(set, context));
  }
  const title = spoken.length ? words.assumed(silent.length) : words.allSets(silent.length);
  const rest = silent.length ? [make("details", { class: "assumed", open: !spoken.length && undefined }, make("summary", {}, title), ...silent)] : [];
  return [...spoken, ...rest];
}

function group(set, named, context) {
  const strongest = [...named].sort((a, b) => valueOf(b.key, context) - valueOf(a.key, context));
  const list = make("div", { class: "group-rows" }, ...strongest.map((attribute) => slider(set, attribute, context)));
  return make("fieldset", { class: "group" }, make("legend", {}, set.prompt), list, adder(set, strongest, list, context));
}

function closed(set, context) {
  const details = make("details", { class: "silent" }, make("summary", {}, make("span", {}, set.prompt), make("span", { class: "small" }, guess(set, context))));
  details.addEventListener(
    "toggle",
    () => {
      const first = [...set.attributes].sort((a, b) => valueOf(b.key, context) - valueOf(a.key, context)).slice(0, OPENED);
      const list = make("div", { class: "group-rows" }, ...first.map((attribute) => slider(set, attribute, context)));
      details.append(list, adder(set, first, list, context));
    },
    { once: true },
  );
  return details;
}

const valueOf = (key, { degrees, touched }) => touched[key] ?? degrees[key] ?? 0;

/** The likeliest attribute of a group. */
const guess = (set, context) => set.attributes.reduce((a, b) => (valueOf(b.key, context) > valueOf(a.key, context) ? b : a)).name;

function slider(set, attribute, context) {
  const { touched, onTouch, phrases } = context;
  const id = `slide-${attribute.index}`;
  const value = valueOf(attribute.key, context);
  const output = make("output", { for: id, class: "value" }, words.degree(value));
  const input = make("input", {
    id,
    type: "range",
    min: 0,
    max: 1,
    step: 0.01,
    "aria-label": words.degreeLabel(set.prompt, attribute.name),
    "aria-valuetext": words.degree(value),
    oninput: () => {
      touched[attribute.key] = Number(input.value);
      output.textContent = words.degree(touched[attribute.key]);
      input.setAttribute("aria-valuetext", output.textContent);
      row.classList.add("touched");
      onTouch();
    },
  });
  input.value = String(value);
  const phrase = phrases.get(attribute.key);
  const name = make("span", { class: "attribute" }, attribute.name, ...(phrase ? [make("small", {}, words.from(phrase))] : []));
  const row = make("div", { class: attribute.key in touched ? "slide touched" : "slide" }, name, input, output);
  return row;
}

/** A list of the group's other attributes, of which a slider is added. */
function adder(set, present, list, context) {
  const keys = new Set(present.map((attribute) => attribute.key));
  const others = set.attributes.filter((attribute) => !keys.has(attribute.key));
  if (!others.length) return null;
  const options = others.map((attribute) => make("option", { value: attribute.key }, attribute.name));
  const select = make("select", { class: "adder", "aria-label": words.addTo(set.prompt) }, make("option", { value: "" }, words.addMore), ...options);
  select.addEventListener("change", () => {
    const attribute = others.find((other) => other.key === select.value);
    if (!attribute) return;
    list.append(slider(set, attribute, context));
    select.selectedOptions[0].remove();
    select.value = "";
    list.lastElementChild.querySelector("input").focus();
  });
  return select;
}
