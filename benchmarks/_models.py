"""The models of the encoder benchmark: the demo bundle's, and the paper's in full size with random weights."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel

from duet_core.config import TrainConfig
from duet_core.config_file import load_config
from duet_core.export.folding import FoldedVision
from duet_core.export.onnx_files import write_onnx
from duet_core.model.build import build_duet
from duet_core.model.duet import Duet
from duet_core.model.language import load_tokenizer, resolve_language_model
from duet_core.quantisation.dynamic import write_dynamic
from duet_core.runtime import Bundle, Execution
from duet_core.runtime.sessions import open_session
from duet_core.sampling import SentenceBatch, SentenceBuilder

Pixels = NDArray[np.float32]
BIRDS, PAPER = Path("training/configs/birds.yaml"), Path("training/configs/cub.yaml")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One model, as torch computes it with the language side for every image, and as ONNX files of the folded model.

    Attributes:
        name: for tables.
        size: pixels a side.
        unfolded: pixels (B, 3, S, S) to v (B, A), by torch.
        files: name of a row -> its vision.onnx.
    """

    name: str
    size: int
    unfolded: Callable[[torch.Tensor], torch.Tensor]
    files: dict[str, Path]

    def calls(self, pixels: Pixels, threads: int) -> dict[str, Callable[[], object]]:
        """Every way to compute v of these pixels, the unfolded one first; torch's threads are set elsewhere."""
        tensor = torch.from_numpy(pixels)
        calls: dict[str, Callable[[], object]] = {"torch, not folded": lambda: self.unfolded(tensor)}
        for row, file in self.files.items():
            calls[row] = _runner(open_session(file, Execution(threads=threads)), pixels)
        return calls


def _runner(session: onnxruntime.InferenceSession, pixels: Pixels) -> Callable[[], object]:
    return lambda: session.run(["v"], {"pixels": pixels})


def birds(bundle: Bundle, int8: Path | None) -> Contender:
    """The demo bundle beside its architecture in torch; weights do not matter for the time, so torch's are random."""
    config = load_config(BIRDS)
    model, template = _built(config, bundle)
    files = {"folded, float32": bundle.folder / "vision.onnx"}
    if int8 is not None:
        files["folded, int8"] = int8 / "vision.onnx"
    return Contender(name="birds", size=bundle.preprocessing.size, unfolded=_unfolded(model, template), files=files)


def bert_base(folder: Path) -> str:
    """A folder, made in `folder`, with BERT-base of random weights and the demo's tokenizer, which is BERT's."""
    language = folder / "bert-base"
    shutil.copytree(resolve_language_model(load_config(BIRDS).language.name), language)
    for weights in (*language.glob("*.bin"), *language.glob("*.safetensors")):
        weights.unlink()
    BertModel(BertConfig(), add_pooling_layer=False).save_pretrained(language)
    return str(language)


def paper(bundle: Bundle, folder: Path) -> Contender:
    """DeiT-base and BERT-base with random weights and the attributes of `bundle`, exported into `folder`."""
    config = load_config(PAPER, f"language.name={bert_base(folder)}")
    model, template = _built(config, bundle)
    size, full, int8 = config.data.image_size, folder / "float32.onnx", folder / "int8.onnx"
    example = (torch.zeros(2, 3, size, size),)
    write_onnx(full, FoldedVision(model, template), example, inputs=["pixels"], outputs=["v", "state"])
    write_dynamic(full, int8)
    files = {"folded, float32": full, "folded, int8": int8}
    return Contender(name="DeiT-base, BERT-base", size=size, unfolded=_unfolded(model, template), files=files)


def _built(config: TrainConfig, bundle: Bundle) -> tuple[Duet, SentenceBatch]:
    """The model with random weights, and the template of all attributes."""
    vision = dataclasses.replace(config.vision, weights=None, pretrained=False)
    model = build_duet(dataclasses.replace(config, vision=vision), attributes=len(bundle.schema), seed=0).eval()
    tokenizer = load_tokenizer(config.language.name)
    return model, SentenceBuilder(schema=bundle.schema, tokenizer=tokenizer, max_tokens=512).template()


def _unfolded(model: Duet, template: SentenceBatch) -> Callable[[torch.Tensor], torch.Tensor]:
    def predict(pixels: torch.Tensor) -> torch.Tensor:
        ids, mask = (part.expand(len(pixels), -1) for part in (template.input_ids, template.attention_mask))
        images = model.image_states(model.vision.trunk(pixels))
        return model.ground(images, model.text_states(ids, mask), mask).v

    return predict
