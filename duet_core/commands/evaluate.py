"""`duet evaluate`: judge a finished run again on validation photos, or read what it was judged on test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from duet_core.benchmarks import Split
from duet_core.config_file import load_config
from duet_core.evaluation import choose_gamma, evaluate
from duet_core.grounding_evaluation import grounding_precision
from duet_core.grounding_prior import prior_correction
from duet_core.record import figures, finished, run_folder

if TYPE_CHECKING:  # torch is imported when a run is judged again: the rest needs none
    from duet_core.experiment import Experiment
    from duet_core.task import DuetTask


def run(
    config: Path,
    *,
    split: Literal["validation", "test"] = "validation",
    seed: int = 0,
    runs: Path | None = None,
    set: Sequence[str] = (),
) -> str:
    """Print T1, U, S, H and AUSUC of a run, and how good its grounding is where it can be exported.

    Validation runs are judged anew from their checkpoint. Test photos are judged once, at the end of `duet train`: for
    them the record is read.

    Args:
        config: the recipe the run was trained with.
        split: validation or test.
        seed: which run.
        runs: folder of the runs; default runs/<recipe>/<variant>.
        set: a change to the recipe, as given to `duet train`; may be given again.

    Raises FileNotFoundError when the run is not finished, CheckpointError when its checkpoint is gone.
    """
    recipe = load_config(config, *set)
    folder = run_folder(runs or Path("runs") / config.stem / recipe.variant, split, seed)
    record = finished(folder, recipe)
    if record is None:
        raise FileNotFoundError(f"no finished run in {folder}; run: duet train {config}")
    if split == "test":
        return figures(record.metrics)
    import torch

    from duet_core.experiment import Experiment
    from duet_core.export.limits import ungroundable
    from duet_core.task import DuetTask

    experiment = Experiment(recipe, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    validation = experiment.split("validation")
    task, _ = experiment.load(validation, seed=seed, folder=folder, source=config)
    judged = experiment.judged(task, validation)
    lines = [figures(evaluate(gamma=choose_gamma(**judged), **judged).to_json())]
    if isinstance(task, DuetTask) and not ungroundable(recipe):
        with torch.no_grad():
            lines += grounding_lines(experiment, task, validation)
    return "\n".join(lines)


def grounding_lines(experiment: Experiment, task: DuetTask, split: Split) -> list[str]:
    """Precision of the best attribute of each prompt set, beside Eq. 26 as printed and the most frequent attribute."""
    import torch

    from duet_core.export.folding import fold_grounding

    benchmark, sentences = experiment.benchmark, experiment.template_builder
    correction = experiment.sampling_correction(split)
    parts = task.model.cpu(), sentences, experiment.tokenizer
    printed, mean = fold_grounding(*parts), fold_grounding(*parts, piece_score="mean")
    corrected = fold_grounding(*parts, correction=correction, piece_score="mean")
    trained = torch.from_numpy(experiment.states(task, split.train[::8]))
    seen = split.seen_classes
    prior = prior_correction(mean(trained).numpy(), benchmark.classes.present[seen], benchmark.classes.degree[seen])
    frequency = benchmark.classes.present[split.seen_classes].mean(axis=0, keepdims=True)
    lines = ["best attribute of a prompt set present in the photo's class, percent (every 8th photo):"]
    for part, rows in (("seen", split.seen_eval[::8]), ("unseen", split.unseen_eval[::8])):
        states = torch.from_numpy(experiment.states(task, rows))
        present = benchmark.classes.present[benchmark.labels[rows]]
        answers = {
            "with the model's prior taken out": mean(states).numpy() * prior,
            "with the masking's taken out": corrected(states).numpy(),
            "without either": mean(states).numpy(),
            "as Eq. 26 is printed": printed(states).numpy(),
            "always the most frequent": frequency,
        }
        shares = "  ".join(
            f"{name} {100 * grounding_precision(scores, present, benchmark.schema):.1f}"
            for name, scores in answers.items()
        )
        lines.append(f"  {part}: {shares}")
    return lines
