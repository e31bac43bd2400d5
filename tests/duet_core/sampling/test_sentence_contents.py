"""Only prompts and no prompts (Table 3, rows 4 and 5): against text put together word by word and the tokenizer."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.attributes import AttributeSchema
from duet_core.config import ConfigError
from duet_core.export.limits import demand_exportable
from duet_core.sampling import SentenceBuilder
from duet_core.sampling.sentences import Content
from duet_core.step_plan import StepPlanner
from tests.duet_core.sampling.test_sentences import (
    PLENTY,
    SCHEMA,
    A,
    ids_of,
    kept_of,
    made_tokenizer,
    pieces_of,
    rows_with_target,
    sentences,
    tokenizer,
    tokens_of,
)
from tests.duet_core.tiny_world import TinyWorld


@cache
def builder(content: Content, max_tokens: int = PLENTY) -> SentenceBuilder:
    return SentenceBuilder(schema=SCHEMA, tokenizer=tokenizer(), max_tokens=max_tokens, content=content)


def prompts_with(target: int) -> str:
    """Every prompt, the target's followed by its name."""
    asked = SCHEMA.attributes[target]
    return " | ".join(
        f"{prompt}: {asked.name}" if prompt == asked.prompt else f"{prompt}:" for prompt in SCHEMA.prompts
    )


def names_of(rows: set[int]) -> str:
    """The names of the rows, prompt set after prompt set, with commas between."""
    ordered = [row for members in SCHEMA.prompt_sets for row in members if row in rows]
    return ", ".join(SCHEMA.attributes[row].name for row in ordered)


def text_of(content: Content, rows: set[int], target: int) -> str:
    return prompts_with(target) if content == "prompts" else names_of(rows)


@pytest.mark.parametrize("content", ["prompts", "names"])
@settings(max_examples=40, deadline=None)
@given(drawn=sentences, masked=st.booleans())
def test_ids_are_the_tokenizers_and_the_mask_is_on_the_target(
    content: Content, drawn: list[tuple[list[int], int]], masked: bool
) -> None:
    kept, target = kept_of([rows for rows, _ in drawn]), torch.tensor([t for _, t in drawn])
    batch = builder(content).build(kept, target, masked)
    for row, (rows, asked) in enumerate(drawn):
        words = pieces_of(SCHEMA.attributes[asked].name)
        whole = torch.where(batch.labels[row] >= 0, batch.labels[row], batch.input_ids[row])
        assert whole[batch.attention_mask[row]].tolist() == ids_of(text_of(content, set(rows), asked))
        assert whole[batch.target_mask[row]].tolist() == words
        hidden = batch.input_ids[row] == tokenizer().mask_token_id
        assert torch.equal(hidden, batch.target_mask[row] & masked)


def test_a_name_of_two_prompt_sets_is_masked_in_the_targets_own_place() -> None:
    both = kept_of([[0, 3], [0, 3]])  # blue wing and blue belly
    batch = builder("names").build(both, torch.tensor([0, 3]), True)
    mask = int(tokenizer().mask_token_id)
    cls, blue, comma, other, sep = ids_of("blue, blue")
    assert batch.input_ids.tolist() == [[cls, mask, comma, other, sep], [cls, blue, comma, mask, sep]]


@settings(max_examples=40, deadline=None)
@given(rows_with_target, st.integers(14, 60), st.integers(0, 1000))
def test_long_lists_of_names_lose_whole_names_but_never_the_target(
    drawn: tuple[list[int], int], max_tokens: int, seed: int
) -> None:
    rows, target = set(drawn[0]), drawn[1]
    made = builder("names", max_tokens).build(kept_of([drawn[0]]), torch.tensor([target]), False)
    left = set(rows)
    while len(ids_of(names_of(left))) > max_tokens:
        left.remove(max(left - {target}))
    assert tokens_of(made, 0) == ids_of(names_of(left))
    generator = torch.Generator().manual_seed(seed)
    random = builder("names", max_tokens).build(kept_of([drawn[0]]), torch.tensor([target]), False, generator)
    assert len(tokens_of(random, 0)) <= max_tokens
    assert bool(random.target_mask.any())


def test_templates() -> None:
    assert builder("prompts").template().input_ids.tolist() == [ids_of(SCHEMA.template())]
    assert builder("prompts").mask_template()[0].input_ids.tolist() == [ids_of(SCHEMA.mask_template())]
    assert builder("names").template().input_ids.tolist() == [ids_of("")]
    with pytest.raises(ValueError, match=r"sampling\.sentence: got 'names'; without prompts"):
        builder("names").mask_template()


def test_what_cannot_be_built_is_refused() -> None:
    length = max(len(ids_of(prompts_with(row))) for row in range(A))
    everything = kept_of([[row] for row in range(A)])
    builder("prompts", length).build(everything, torch.arange(A), True)
    with pytest.raises(ValueError, match=rf"every prompt and its target .* need {length} tokens, max_tokens is"):
        builder("prompts", length - 1).build(everything, torch.arange(A), True)
    with pytest.raises(ValueError, match="got content 'nouns'; allowed are full, prompts, names"):
        SentenceBuilder(schema=SCHEMA, tokenizer=tokenizer(), max_tokens=PLENTY, content="nouns")  # type: ignore[arg-type]
    plain = AttributeSchema.from_pairs([("size", "small"), ("size", "light"), ("wing", "blue")])
    by_space = made_tokenizer(by_space=True)
    contents: tuple[Content, ...] = ("prompts", "names")
    for content in contents:
        with pytest.raises(ValueError, match="its parts give"):
            SentenceBuilder(schema=plain, tokenizer=by_space, max_tokens=PLENTY, content=content)


@pytest.mark.parametrize("sentence", ["prompts", "names"])
def test_steps_of_a_recipe_have_such_sentences(tiny_world: TinyWorld, sentence: str) -> None:
    experiment = tiny_world.experiment(sampling__sentence=sentence)
    split = experiment.split("test")
    made: StepPlanner = experiment.planner(split)
    task = experiment.build_task(split, made, seed=0)
    plan = made.plan(torch.arange(6), "CSG", torch.Generator().manual_seed(0))
    assert plan.grounding is not None
    losses = task(plan, experiment.images.train_batch(plan.photos, torch.Generator().manual_seed(1)))
    assert bool(torch.isfinite(losses["loss"]))
    assert experiment.predict(task, split.seen_eval).shape[1] == len(experiment.benchmark.schema)
    schema, batch = experiment.benchmark.schema, plan.grounding.sentences
    for row in range(len(batch)):
        ids = torch.where(batch.labels[row] >= 0, batch.labels[row], batch.input_ids[row])
        text = str(experiment.tokenizer.decode(ids[batch.attention_mask[row]], skip_special_tokens=True))
        prompts = [prompt for prompt in schema.prompts if f"{prompt} :" in text]
        assert prompts == (list(schema.prompts) if sentence == "prompts" else [])


def test_a_model_without_prompts_is_not_exported(tiny_world: TinyWorld) -> None:
    with pytest.raises(ConfigError, match=r"sampling\.sentence: got 'names'; allowed are 'full' and 'prompts'"):
        demand_exportable(tiny_world.config(sampling__sentence="names"))
    demand_exportable(tiny_world.config(sampling__sentence="prompts"))
