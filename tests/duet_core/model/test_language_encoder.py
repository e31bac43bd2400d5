"""The language model: tied mask reconstruction, what is frozen, names and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from duet_core.model.build import build_duet
from duet_core.model.language import (
    LanguageEncoder,
    load_language_encoder,
    load_tokenizer,
    resolve_language_model,
)
from tests.duet_core.tiny_world import TinyWorld


def test_mask_scores_are_tied_to_the_input_embeddings(tiny_world: TinyWorld) -> None:
    model = build_duet(tiny_world.config(), attributes=4, seed=0).eval()
    states = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(model.mask_head.bias)
    dense, _, norm = model.mask_head.transform
    words = model.language.network.embeddings.word_embeddings.weight
    expected = torch.stack([F.gelu(dense(state)) for state in states])
    expected = norm(expected) @ words.T + model.mask_head.bias
    torch.testing.assert_close(model.mask_scores(states), expected)
    with torch.no_grad():
        words.mul_(2)  # a change of the embeddings is a change of the scores
    doubled = 2 * (expected - model.mask_head.bias) + model.mask_head.bias
    torch.testing.assert_close(model.mask_scores(states), doubled)
    assert sum(p.shape == words.shape for p in model.parameters()) == 1


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_frozen_layers_freeze_the_embeddings_and_so_many_layers(tiny_world: TinyWorld, frozen: int) -> None:
    language = load_language_encoder(name=str(tiny_world.folder / "language"), frozen_layers=frozen)
    for name, parameter in language.network.named_parameters():
        layer = name.split(".")[2] if name.startswith("encoder.layer") else "embeddings"
        expected = frozen > 0 if layer == "embeddings" else int(layer) < frozen
        assert parameter.requires_grad != expected, name


def test_dropout_of_the_language_model_can_be_taken_out(tiny_world: TinyWorld) -> None:
    ids, mask = torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.bool)
    for dropout, is_constant in ((None, False), (0.5, False), (0.0, True)):
        language = load_language_encoder(name=str(tiny_world.folder / "language"), frozen_layers=1, dropout=dropout)
        language.train()
        assert torch.equal(language(ids, mask), language(ids, mask)) == is_constant, dropout


def test_a_frozen_language_model_does_not_train_and_has_no_dropout(tiny_world: TinyWorld) -> None:
    model = build_duet(tiny_world.config(language__freeze=True), attributes=4, seed=0).train()
    assert not any(parameter.requires_grad for parameter in model.language.parameters())
    ids, mask = torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.bool)
    first, again = model.language(ids, mask), model.language(ids, mask)
    assert torch.equal(first, again)
    assert model.cross_modal.training
    loose = build_duet(tiny_world.config(), attributes=4, seed=0).train()
    assert not torch.equal(loose.language(ids, mask), loose.language(ids, mask))
    plain = loose.state_dict()
    assert all(torch.equal(value, plain[name]) for name, value in model.state_dict().items())


def test_states_do_not_depend_on_padding(tiny_world: TinyWorld) -> None:
    language = load_language_encoder(name=str(tiny_world.folder / "language"), frozen_layers=0).eval()
    ids, mask = torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.bool)
    padded = torch.tensor([[2, 5, 6, 3, 0, 0]])
    states = language(padded, torch.tensor([[True] * 4 + [False] * 2]))
    assert states.shape == (1, 6, language.width)
    torch.testing.assert_close(states[:, :4], language(ids, mask), rtol=1e-5, atol=1e-5)


def test_names_may_be_folders_hub_names_or_packages(tiny_world: TinyWorld) -> None:
    assert resolve_language_model("bert-base-uncased") == "bert-base-uncased"
    inside = resolve_language_model("package:transformers/models/bert")
    assert Path(inside, "modeling_bert.py").is_file()
    with pytest.raises(FileNotFoundError, match=r"language\.name: the Python package 'no_such_one' is not installed"):
        resolve_language_model("package:no_such_one/model")
    tokenizer = load_tokenizer(str(tiny_world.folder / "language"))
    assert tokenizer.convert_ids_to_tokens(tokenizer("forked")["input_ids"]) == ["[CLS]", "fork", "##ed", "[SEP]"]


def test_mistakes_are_named_by_their_field(tiny_world: TinyWorld, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"language\.name: .* is neither a local folder nor reachable; put config\.json"):
        load_language_encoder(name=str(tmp_path / "nothing"), frozen_layers=0)
    network = load_language_encoder(name=str(tiny_world.folder / "language"), frozen_layers=0).network
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=rf"language\.frozen_layers: got {wrong}; allowed is 0…2"):
            LanguageEncoder(network=network, frozen_layers=wrong)


def test_new_parts_come_from_the_seed(tiny_world: TinyWorld) -> None:
    states = [build_duet(tiny_world.config(), attributes=4, seed=seed).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert not torch.equal(states[0]["attribute_head.weight"], states[2]["attribute_head.weight"])
