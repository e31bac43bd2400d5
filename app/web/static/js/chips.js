// The grounding as chips over the photo: the best property of each prompt set, those that say most first.
import { find, make, percent } from "./dom.js";
import { showsHeat } from "./heat.js";
import { hear, state } from "./state.js";
import { words } from "./words.js";

const FEW = 5;
let all = false;

function chip(set) {
  const best = set.attributes[0];
  const [of, name] = words.chip(set.prompt, best.name);
  const button = make(
    "button",
    { type: "button", class: "chip heats", "aria-label": words.chipLabel(set.prompt, best.name, percent(best.score)) },
    make("span", {}, of),
    make("b", {}, name),
  );
  showsHeat(button, { attribute: best.key }, best.key);
  return button;
}

/** How much the best property of a set says: its share, times how far that is above chance (one of two says little). */
function tells(set) {
  const size = state.schema?.prompt_sets.find((other) => other.prompt === set.prompt)?.attributes.length ?? 2;
  const { score } = set.attributes[0];
  return score * Math.log(Math.max(score * size, 1e-9));
}

/** The first few whose properties have different names: four times "striped" says little more than once. */
function differing(sets) {
  const named = new Set();
  const first = sets.filter(({ attributes: [{ name }] }) => !named.has(name) && named.add(name));
  return first.slice(0, FEW);
}

function draw(grounding) {
  const sets = grounding.filter((set) => set.attributes.length).sort((a, b) => tells(b) - tells(a));
  const more = make(
    "button",
    {
      type: "button",
      class: "chip more",
      "aria-expanded": String(all),
      onclick: () => {
        all = !all;
        draw(grounding);
        find("chips").lastElementChild.focus();
      },
    },
    all ? words.fewerChips : words.allChips(sets.length),
  );
  const chips = find("chips");
  chips.classList.toggle("all", all);
  chips.replaceChildren(...(all ? sets : differing(sets)).map(chip), ...(sets.length > FEW ? [more] : []));
  chips.hidden = false;
  if (!find("caption").textContent) find("caption").textContent = words.captionHint;
}

export function startChips() {
  hear("explained", (explanation) => draw(explanation.grounding));
  hear("photo", () => {
    all = false;
    find("chips").hidden = true;
  });
}
