"""What folds into constants computes what the whole model does; Eq. 26 against an explicit loop."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest
import torch

from duet_core.attributes import AttributeSchema
from duet_core.export.folding import (
    FoldedVision,
    PieceScore,
    SentenceEmbedding,
    candidate_pieces,
    fold_grounding,
    one_key,
)
from duet_core.model.cross_modal import Attention
from duet_core.model.duet import ImageStates
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import SIZE, TinyWorld


class Trained:
    """A tiny model with weights far from their start, and its sentences."""

    def __init__(self, world: TinyWorld, **changes: Any) -> None:
        experiment = world.experiment(**changes)
        split = experiment.split("test")
        planner = experiment.planner(split)
        task = experiment.build_task(split, planner, seed=0)
        assert isinstance(task, DuetTask)
        torch.manual_seed(3)
        with torch.no_grad():
            for parameter in (
                *task.model.cross_modal.parameters(),
                *task.model.mask_head.parameters(),
                *task.model.attribute_head.parameters(),
            ):
                parameter.normal_(std=0.4)
        self.task, self.model = task.eval(), task.model
        self.sentences, self.tokenizer = planner.sentences, experiment.tokenizer
        self.schema: AttributeSchema = experiment.benchmark.schema

    def names(self) -> list[list[int]]:
        return [self.tokenizer(a.name, add_special_tokens=False)["input_ids"] for a in self.schema.attributes]


def test_a_block_with_one_key_is_one_linear_map() -> None:
    torch.manual_seed(0)
    block = Attention(width=8, heads=2, dropout=0.0).eval()
    states, context = torch.randn(4, 3, 8), torch.randn(4, 1, 8)
    with torch.no_grad():
        torch.testing.assert_close(block.norm(states + one_key(block)(context)), block(states, context))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cross_modal__layers": 2},
        {"cross_modal__share_cross_attention": True},
        {"cross_modal__direct_path": True},
    ],
)
def test_folded_vision_equals_the_whole_model(tiny_world: TinyWorld, changes: dict[str, Any]) -> None:
    trained = Trained(tiny_world, **changes)
    pixels = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        folded = FoldedVision(trained.model, trained.sentences.template()).eval()
        v, state = folded(pixels)
        expected_v, expected_state = trained.task.predict(trained.model.vision.trunk(pixels))
    torch.testing.assert_close(v, expected_v, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(state, expected_state)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("piece_score", "correction"), [("sum", None), ("mean", None), ("mean", torch.tensor([1.0, 0.5, 0.25, 0.0]))]
)
def test_grounding_scores_are_eq_26_and_its_variant(
    tiny_world: TinyWorld, layers: int, piece_score: PieceScore, correction: torch.Tensor | None
) -> None:
    trained = Trained(tiny_world, cross_modal__layers=layers)
    model, schema, names = trained.model, trained.schema, trained.names()
    factors = torch.ones(4) if correction is None else correction
    state = torch.randn(4, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        folded = fold_grounding(
            model, trained.sentences, trained.tokenizer, correction=correction, piece_score=piece_score
        )
        got = folded.eval()(state)
        ids = torch.tensor([trained.tokenizer(schema.mask_template())["input_ids"]])
        attended = torch.ones_like(ids, dtype=torch.bool)
        places = (ids[0] == trained.tokenizer.mask_token_id).nonzero().flatten().tolist()
        for image in range(len(state)):
            images = ImageStates(state[image : image + 1], None)
            text = model.ground(images, model.text_states(ids, attended), attended).text[0]
            for prompt, place in enumerate(places):
                scores = model.mask_scores(text[place][None])[0]  # (W,)
                members = schema.prompt_sets[prompt]
                candidates = {piece for row in members for piece in names[row]}
                total = sum(scores[piece].exp() for piece in candidates)
                for row in members:
                    shares = [float(scores[piece].exp() / total) for piece in set(names[row])]
                    total_or_mean = sum(shares) if piece_score == "sum" else fmean(shares)
                    assert float(got[image, row]) == pytest.approx(total_or_mean * float(factors[row]), abs=1e-5)
    assert not torch.allclose(got[0], got[1], atol=1e-5)


def test_candidate_pieces_know_every_piece_of_every_name() -> None:
    schema = AttributeSchema.from_pairs([("a", "x"), ("a", "x y"), ("b", "y")])
    pieces, membership = candidate_pieces(schema, [[7], [7, 9], [9]])
    assert pieces.tolist() == [7, 9]
    assert membership.tolist() == [[1, 0], [1, 1], [0, 1]]


def test_sentence_embedding_is_the_unit_mean_of_real_tokens(tiny_world: TinyWorld) -> None:
    network = Trained(tiny_world).model.language.network.eval()
    embedding = SentenceEmbedding(network)
    with torch.no_grad():
        padded = embedding(torch.tensor([[2, 5, 6, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]]))
        ids = torch.tensor([[2, 5, 6, 3]])
        mean = network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.mean(dim=1)
    torch.testing.assert_close(padded, mean / mean.norm(), rtol=1e-5, atol=1e-5)
