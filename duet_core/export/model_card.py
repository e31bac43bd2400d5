"""The model card of a bundle, written from its manifest so that it cannot say anything else."""

from __future__ import annotations

from typing import Any

from duet_core.record import METRICS
from duet_core.runtime import Bundle

_CARD = """# {model_id}

A DUET model (Chen et al., AAAI 2023) exported for the DUET service: it predicts {attributes} attributes of a photo in
{prompts} prompt sets, and names any class that is described by them, photographed before or not.

## Data

Trained on {data}: {train} photos of {seen} seen classes.
{licence}

Command: `{command}`

## Figures

Top-1 accuracy per class, averaged over classes, in percent; γ chosen on validation classes, test judged once.

| seed | T1 | U | S | H | AUSUC |
|---|---|---|---|---|---|
{rows}

This bundle is seed {seed}. {unseen} test classes had no photo in training.

Calibration, on {split} ({n_photos} photos): γ {gamma:.4f}, temperature {temperature:.4f}, expected calibration error
{ece_before:.3f} before and {ece_after:.3f} after; "none of these" below {evidence} {threshold:.4f}, which refuses
{false_reject_rate:.0%} of those photos wrongly.

## Export

Largest difference of v from the torch model: {parity:.1e} (float32). Language model: {language}, int8; cosine of its
embeddings to float32 over {phrases} phrases: mean {cosine_mean:.4f}, least {cosine_min:.4f}.{finder}

## Limits

{limits}
"""

_FINDER = """

Finder of the object in whole photos: fitted on {fitted_on}; on {photos} held-out ones its boxes have a mean
intersection over union of {mean_iou:.2f} with the true ones, above a half in {iou_above_half:.0%}."""

LIMITS = (
    "Attributes are those of the class, not of the photo.",
    "Calibration and threshold were fitted on photos of the same collection; other cameras and places may need others.",
)
"""True of every bundle; what else is true of one, the manifest's `limits` say."""


def model_card(manifest: dict[str, Any], calibration: dict[str, Any]) -> str:
    """The card as Markdown, from the manifest and the calibration of a bundle."""
    training, metrics, language = manifest["training"], manifest["metrics"], manifest["language_model"]
    rows = "\n".join(
        "| " + " | ".join([str(run["seed"]), *(f"{100 * run[name]:.1f}" for name in METRICS)]) + " |"
        for run in metrics["test"]
    )
    return _CARD.format(
        model_id=manifest["model_id"],
        attributes=len(manifest["schema"]),
        prompts=len({item["prompt"] for item in manifest["schema"]}),
        data=training["data"],
        train=training["photos"],
        seen=training["seen_classes"],
        unseen=training["unseen_classes"],
        licence=manifest["licence"]["data"],
        limits="\n".join(f"- {limit}" for limit in (*manifest.get("limits", ()), *LIMITS)),
        command=training["command"],
        rows=rows,
        finder=_finder(manifest.get("finder")),
        seed=training["seed"],
        parity=manifest["parity"]["max_abs_difference_v"],
        language=language["name"],
        phrases=language["cosine_to_float32"]["phrases"],
        cosine_mean=language["cosine_to_float32"]["mean"],
        cosine_min=language["cosine_to_float32"]["min"],
        evidence=str(calibration.get("evidence", "max_cosine")).replace("_", " "),
        **{name: value for name, value in calibration.items() if name not in ("score_space", "evidence")},
    )


def write_card(bundle: Bundle) -> None:
    """Write a bundle's card anew, from its manifest and calibration as they are now."""
    (bundle.folder / "README.md").write_text(
        model_card(bundle.manifest, bundle.calibration.to_json()), encoding="utf-8"
    )


def _finder(note: dict[str, Any] | None) -> str:
    return "" if note is None else _FINDER.format(fitted_on=note["fitted_on"], **note["held_out"])
