"""Writes a bundle: exports three graphs, proves parity with torch, and moves the folder into place when all is well."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from duet_core.benchmarks import Benchmark
from duet_core.class_names import class_ids, class_label
from duet_core.export.folding import FoldedVision, fold_grounding, name_pieces
from duet_core.export.language import write_language
from duet_core.export.limits import ExportError
from duet_core.export.model_card import model_card
from duet_core.export.onnx_files import embed_phrases, run_onnx, write_onnx
from duet_core.model.duet import Duet, ImageStates
from duet_core.runtime.bundle import FORMAT_VERSION, describe_file
from duet_core.runtime.preprocess import Preprocessing, pixels_sha256
from duet_core.sampling import SentenceBuilder
from duet_core.task import DuetTask

MAX_DIFFERENCE = 1e-4
"""Largest |Δv| between torch and the exported graph, in float32."""
_PARITY_IMAGES = 8


@dataclass(frozen=True, kw_only=True)
class BundleSource:
    """What a bundle is made from.

    Attributes:
        model_id: names the model in answers.
        task: the trained model.
        sentences: the builder whose templates the model was trained with.
        tokenizer, language_model: the language model's tokenizer and configured name.
        benchmark: gives the schema and the seen classes.
        correction: (A,) `sampling.sampling_correction` of the training split.
        preprocessing: how photos reach the model.
        calibration: the fields of calibration.json.
        records: manifest entries `training`, `metrics` and `licence`.
    """

    model_id: str
    task: DuetTask
    sentences: SentenceBuilder
    tokenizer: PreTrainedTokenizerFast
    language_model: str
    benchmark: Benchmark
    correction: Tensor
    preprocessing: Preprocessing
    calibration: dict[str, object]
    records: dict[str, Any]


@torch.no_grad()
def export_bundle(source: BundleSource, out: Path) -> dict[str, Any]:
    """Write the bundle to `out`, replacing a bundle that is there; returns its manifest.

    Raises ExportError when an exported graph differs from the torch model, `out` is a folder of other things, or v is
    not made of attributes; `out` is left as it was.
    """
    demand_attributes(source.benchmark)
    if out.exists() and not (out / "manifest.json").is_file():
        raise ExportError(f"{out} exists and is no bundle; give the folder of a bundle, or a new one like models/birds")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder.chmod(0o755)
        model = source.task.model.cpu().eval()
        parity = _write_vision(source, model, folder) | _write_grounding(source, model, folder)
        phrases = [attribute.phrase for attribute in source.benchmark.schema.attributes]
        language = write_language(folder, source.language_model, _plain(source.tokenizer), phrases)
        _write_classes(source, folder)
        (folder / "calibration.json").write_text(json.dumps(source.calibration, indent=1) + "\n")
        _write_golden(source, folder)
        manifest = _write_manifest(source, folder, parity=parity, language_model=language)
        (folder / "README.md").write_text(model_card(manifest, source.calibration))
        if out.exists():
            out.rename(folder.with_name(f"{folder.name}.replaced"))
        folder.rename(out)
    finally:
        for leftover in (folder, folder.with_name(f"{folder.name}.replaced")):
            shutil.rmtree(leftover, ignore_errors=True)
    return manifest


def demand_attributes(benchmark: Benchmark) -> None:
    """Refuse a model whose v is compared with a class embedding: a bundle promises that v holds the attributes.

    Contributions, described classes and edits rest on that; of an embedding nobody can describe a class in attributes.
    Raises ExportError.
    """
    if benchmark.class_embedding is not None:
        columns = benchmark.class_embedding.shape[1]
        raise ExportError(
            f"{benchmark.name}: got a model whose v has the {columns} columns of data.class_embedding; a bundle needs "
            "one whose v are its attributes: train again with data.class_embedding null and export that"
        )


def _demand(name: str, difference: float) -> float:
    if not difference <= MAX_DIFFERENCE:
        raise ExportError(f"{name}: differs from torch by {difference:.2e}; allowed is {MAX_DIFFERENCE}")
    return difference


def _write_vision(source: BundleSource, model: Duet, folder: Path) -> dict[str, float]:
    """vision.onnx, compared with the whole, unfolded model on random images."""
    size = source.preprocessing.size
    folded = FoldedVision(model, source.sentences.template())
    file = folder / "vision.onnx"
    write_onnx(file, folded, (torch.zeros(2, 3, size, size),), inputs=["pixels"], outputs=["v", "state"])
    pixels = torch.randn(_PARITY_IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
    v, state = source.task.predict(model.vision.trunk(pixels))
    got_v, got_state = run_onnx(file, pixels=pixels.numpy())
    return {
        "max_abs_difference_v": _demand("vision.onnx: v", float(np.abs(got_v - v.numpy()).max())),
        "max_abs_difference_state": _demand("vision.onnx: state", float(np.abs(got_state - state.numpy()).max())),
    }


def _write_grounding(source: BundleSource, model: Duet, folder: Path) -> dict[str, float]:
    """grounding.onnx, compared with the unfolded model's mask reconstruction over the whole vocabulary."""
    schema = source.benchmark.schema
    template, masks = source.sentences.mask_template()
    names = name_pieces(schema, source.tokenizer)
    folded = fold_grounding(model, source.sentences, source.tokenizer, correction=source.correction, piece_score="mean")
    width = model.attribute_head.in_features
    file = folder / "grounding.onnx"
    write_onnx(file, folded, (torch.zeros(2, width),), inputs=["state"], outputs=["attribute_scores"])
    state = torch.randn(_PARITY_IMAGES, width, generator=torch.Generator().manual_seed(0))
    text = model.text_states(template.input_ids, template.attention_mask).expand(len(state), -1, -1)
    fused = model.ground(ImageStates(state, None), text, template.attention_mask.expand(len(state), -1)).text[
        :, masks
    ]  # (B, k, D)
    scores = model.mask_scores(fused)  # (B, k, W)
    expected = torch.zeros(len(state), len(schema))
    for prompt, members in enumerate(schema.prompt_sets):
        candidates = sorted({piece for row in members for piece in names[row]})
        share = scores[:, prompt, candidates].softmax(dim=-1)
        for row in members:
            own = [candidates.index(piece) for piece in set(names[row])]
            expected[:, row] = share[:, own].mean(dim=-1) * source.correction[row]
    (got,) = run_onnx(file, state=state.numpy())
    return {
        "max_abs_difference_attribute_scores": _demand("grounding.onnx", float(np.abs(got - expected.numpy()).max()))
    }


def _plain(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    return Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())


def _write_classes(source: BundleSource, folder: Path) -> None:
    classes = source.benchmark.classes
    seen = np.flatnonzero(classes.seen)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    phrases = [attribute.phrase for attribute in source.benchmark.schema.attributes]
    labels = [class_label(classes.names[row]) for row in seen]
    metric = source.task.metric
    arrays: dict[str, Any] = {
        "ids": np.array(class_ids(labels)),
        "labels": np.array(labels),
        "degrees": classes.degree[seen],
        "z": metric.unit(classes.z[seen]),
        "attribute_embeddings": embed_phrases(folder / "text.onnx", tokenizer, phrases).astype(np.float16),
    }
    if metric.factor is not None:
        arrays["metric"] = metric.factor
    np.savez_compressed(folder / "classes.npz", **arrays)


def golden_picture(side: int = 320) -> Image.Image:
    """A drawn bird on a gradient: no photo of any data set, with edges and colours enough to tell models apart."""
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    red, green = np.meshgrid(ramp, ramp)
    image = Image.fromarray(np.stack([red // 3 + 90, green // 3 + 130, 255 - red // 2], axis=2))
    draw = ImageDraw.Draw(image)
    draw.ellipse((90, 120, 240, 230), fill=(200, 60, 40))
    draw.ellipse((70, 80, 140, 150), fill=(30, 40, 120))
    draw.polygon(((72, 110), (40, 122), (74, 126)), fill=(230, 180, 60))
    draw.polygon(((225, 160), (300, 120), (290, 170)), fill=(40, 90, 50))
    draw.ellipse((92, 98, 104, 110), fill=(250, 250, 240))
    return image


def _write_golden(source: BundleSource, folder: Path) -> None:
    image = golden_picture()
    image.save(folder / "golden.png", optimize=True)
    pixels = source.preprocessing(image)
    v, state = source.task.predict(source.task.model.vision.trunk(torch.from_numpy(pixels)[None]))
    np.savez(folder / "golden.npz", pixels_sha256=pixels_sha256(pixels), v=v[0].numpy(), state=state[0].numpy())


def _write_manifest(source: BundleSource, folder: Path, **records: Any) -> dict[str, Any]:
    manifest = {
        "format_version": FORMAT_VERSION,
        "model_id": source.model_id,
        **({} if source.task.metric.factor is None else {"requires": ["metric"]}),
        **source.records,
        **records,
        "preprocessing": source.preprocessing.to_json(),
        "files": {path.name: describe_file(path) for path in sorted(folder.iterdir())},
        "schema": source.benchmark.schema.to_json(),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return manifest
