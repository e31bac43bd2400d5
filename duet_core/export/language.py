"""text.onnx and its tokenizer: the pre-trained language model as a sentence encoder, compared with torch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from duet_core.classes import FloatArray
from duet_core.export.folding import SentenceEmbedding
from duet_core.export.limits import ExportError
from duet_core.export.onnx_files import embed_phrases, quantize_language_model, write_onnx
from duet_core.model.language import resolve_language_model

MIN_COSINE = 0.99
"""Least cosine of an int8 embedding to torch's of the same phrase."""
_SAME = 1e-3
"""Largest difference between the float32 graph's embeddings and torch's."""
_LONGEST_PROMPT = 256


def write_language(folder: Path, language_model: str, tokenizer: Tokenizer, phrases: Sequence[str]) -> dict[str, Any]:
    """Write text.onnx in int8 and tokenizer.json; returns the manifest's `language_model`.

    Args:
        folder: of the bundle.
        language_model: its configured name.
        tokenizer: the language model's; padding is taken off and long prompts are cut.
        phrases: at least two, of different words; the graphs' embeddings of them are compared with torch's.

    Raises ExportError when the float32 graph differs from torch, or the int8 one by more than rounding.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST_PROMPT)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    source = resolve_language_model(language_model)
    network = AutoModel.from_pretrained(source, use_safetensors=True, add_pooling_layer=False)
    module = SentenceEmbedding(network).eval()
    ids = torch.ones(2, 16, dtype=torch.long)
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "text.onnx"
        example = (ids, ids.clone())  # one tensor given twice would become one input: the mask, read as words
        write_onnx(full, module, example, inputs=["input_ids", "attention_mask"], outputs=["embedding"])
        quantize_language_model(full, folder / "text.onnx")
        wanted = _embed(module, tokenizer, phrases)
        difference = float(np.abs(embed_phrases(full, tokenizer, phrases) - wanted).max())
    if not difference <= _SAME:
        raise ExportError(f"text.onnx: float32 differs from torch by {difference:.2e}; allowed is {_SAME}")
    cosine = (embed_phrases(folder / "text.onnx", tokenizer, phrases) * wanted).sum(axis=1)
    if not cosine.min() >= MIN_COSINE:
        raise ExportError(f"text.onnx: int8 has cosine {cosine.min():.3f} to torch; at least {MIN_COSINE} is needed")
    return {
        "name": language_model,
        "weights": "int8",
        "cosine_to_float32": {"mean": float(cosine.mean()), "min": float(cosine.min()), "phrases": len(phrases)},
    }


@torch.no_grad()
def _embed(module: SentenceEmbedding, tokenizer: Tokenizer, phrases: Sequence[str]) -> FloatArray:
    """(N, E) embeddings by torch, phrase by phrase."""
    rows = []
    for phrase in phrases:
        ids = torch.tensor([tokenizer.encode(phrase).ids])
        rows.append(module(ids, torch.ones_like(ids)).numpy())
    return np.concatenate(rows)
