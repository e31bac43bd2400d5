// The trade-off between seen and unseen classes as one slider: γ, and what it means in words.
import { ask } from "./api.js";
import { judge } from "./answer.js";
import { find, later } from "./dom.js";
import { hear, state } from "./state.js";
import { words } from "./words.js";

let usual = null; // the service's γ: of the class space, else of the model
let models = null; // the model's own

const slider = () => find("gamma");

function explainGamma() {
  const gamma = Number(slider().value);
  const parts = [words.gammaValue(gamma)];
  const step = Number(slider().step);
  if (Math.abs(gamma - usual) < step) parts.push(usual === (models ?? usual) ? words.gammaUsual : words.gammaSet);
  else parts.push(gamma > usual ? words.gammaMore : words.gammaLess);
  if (state.result) parts.push(turn(state.result.predictions));
  slider().setAttribute("aria-valuetext", parts.slice(0, 2).join(": "));
  find("gamma-words").textContent = `${parts.shift()} · ${parts.filter(Boolean).join(" ")}`;
  find("gamma-reset").disabled = state.gamma === null;
  slider().disabled = state.candidates !== "all";
}

/** From which γ up the best unseen class leads, in words. */
function turn(predictions) {
  const seen = predictions.find((prediction) => prediction.seen);
  const unseen = predictions.find((prediction) => !prediction.seen);
  if (!unseen && state.candidates === "all") return words.gammaAlone;
  if (!unseen || !seen) return "";
  const needed = seen.score - unseen.score;
  return needed > Number(slider().min) && needed < Number(slider().max) ? words.gammaTurn(unseen.label, needed) : "";
}

function setRange(gamma) {
  const most = Math.max(3, 2 * Math.abs(gamma)); // scores of the cosine kind lie within 1; logits within a few
  slider().min = String(Math.min(0, -2 * Math.abs(Math.min(0, gamma))));
  slider().max = String(gamma > 0 && gamma < 0.5 ? 2 * gamma : most);
  slider().step = Number(slider().max) < 0.5 ? "0.001" : "0.01";
  slider().value = String(gamma);
}

export function startGamma() {
  const again = later(() => judge(), 120);
  slider().addEventListener("input", () => {
    state.gamma = Number(slider().value);
    explainGamma();
    again();
  });
  find("gamma-reset").addEventListener("click", () => {
    state.gamma = null;
    slider().value = String(usual);
    explainGamma();
    judge();
  });
  hear("result", (result) => {
    if (state.gamma === null && result.model.gamma !== usual) {
      usual = result.model.gamma;
      setRange(usual);
    }
    explainGamma();
  });
  hear("started", async () => {
    const { calibration } = await ask("model");
    models = calibration.gamma;
  });
}
