"""Sentences assembled from parts equal the tokenizer's own; masks sit on the target and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from duet_core.attributes import AttributeSchema
from duet_core.sampling import SentenceBatch, SentenceBuilder

# Prompt sets are interleaved, names repeat between sets, and some names are part of others or of a prompt.
SCHEMA = AttributeSchema.from_pairs(
    [
        ("wing color", "blue"),
        ("size", "very small (3 - 5 in)"),
        ("wing color", "multi-colored"),
        ("belly color", "blue"),
        ("belly color", "natural light"),
        ("wing color", "Natural"),
        ("size", "small"),
        ("natural material", "natural"),
        ("belly color", "bluish"),
        ("size", "unstriped"),
        ("wing color", "light"),
    ]
)
A = len(SCHEMA)
SPECIALS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
WORDS = "wing color size belly natural material blue very small ( 3 - 5 in ) multi colored light blu ##ish un ##striped"
PLENTY = 512


def made_tokenizer(*, extra: str = "", by_space: bool = False, mask: bool = True) -> PreTrainedTokenizerBase:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ":", "|", ",", *WORDS.split(), *extra.split()]
    vocabulary = {word: index for index, word in enumerate(words)}
    inner = Tokenizer(WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    inner.normalizer = BertNormalizer(lowercase=True)
    inner.pre_tokenizer = WhitespaceSplit() if by_space else BertPreTokenizer()
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    names = {**SPECIALS, "mask_token": "[MASK]"} if mask else SPECIALS
    wrapped: PreTrainedTokenizerBase = PreTrainedTokenizerFast(tokenizer_object=inner, **names)  # type: ignore[no-untyped-call]
    return wrapped


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    return made_tokenizer()


@cache
def builder(max_tokens: int = PLENTY) -> SentenceBuilder:
    return SentenceBuilder(schema=SCHEMA, tokenizer=tokenizer(), max_tokens=max_tokens)


def ids_of(text: str) -> list[int]:
    return list(tokenizer()(text)["input_ids"])


def pieces_of(text: str) -> list[int]:
    return list(tokenizer()(text, add_special_tokens=False)["input_ids"])


def as_spelled_by_pieces(text: str) -> str:
    return str(tokenizer().decode(pieces_of(text), clean_up_tokenization_spaces=False))


@cache
def schema_as_spelled_by_pieces() -> AttributeSchema:
    return AttributeSchema.from_pairs(
        (as_spelled_by_pieces(a.prompt), as_spelled_by_pieces(a.name)) for a in SCHEMA.attributes
    )


def rows_in(ids: Sequence[int]) -> set[int]:
    """Attributes of a sentence of ids, read back by the schema's own parser."""
    text = str(tokenizer().decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
    parsed = schema_as_spelled_by_pieces().parse(text)
    assert not parsed.unknown
    return set(parsed.attributes)


def kept_of(sets: Sequence[Sequence[int]]) -> torch.Tensor:
    kept = torch.zeros(len(sets), A, dtype=torch.bool)
    for row, members in enumerate(sets):
        kept[row, list(members)] = True
    return kept


def tokens_of(batch: SentenceBatch, row: int) -> list[int]:
    return [int(piece) for piece in batch.input_ids[row][batch.attention_mask[row]]]


def fitted_by_loop(rows: set[int], target: int, max_tokens: int) -> set[int]:
    left = set(rows)
    while len(ids_of(SCHEMA.sentence(left))) > max_tokens:
        left.remove(max(left - {target}))
    return left


# Lists of (attributes kept, target among them).
rows_with_target = st.lists(st.integers(0, A - 1), min_size=1, unique=True).map(lambda rows: (rows, rows[0]))
sentences = st.lists(rows_with_target, min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(sentences)
def test_ids_equal_the_tokenizers_and_parse_back(drawn: list[tuple[list[int], int]]) -> None:
    batch = builder().build(kept_of([rows for rows, _ in drawn]), torch.tensor([t for _, t in drawn]), False)
    longest = 0
    for row, (rows, target) in enumerate(drawn):
        expected = ids_of(SCHEMA.sentence(rows))
        longest = max(longest, len(expected))
        assert tokens_of(batch, row) == expected
        assert batch.attention_mask[row].tolist() == [True] * len(expected) + [False] * (
            batch.input_ids.shape[1] - len(expected)
        )
        assert (batch.input_ids[row, len(expected) :] == batch.pad_id).all()
        assert rows_in(expected) == set(rows)
        assert batch.input_ids[row][batch.target_mask[row]].tolist() == pieces_of(SCHEMA.attributes[target].name)
    assert batch.input_ids.shape == (len(drawn), longest)
    assert (batch.labels == -100).all()


@settings(max_examples=40, deadline=None)
@given(sentences, st.data())
def test_masks_sit_on_the_targets_pieces_only(drawn: list[tuple[list[int], int]], data: st.DataObject) -> None:
    kept, target = kept_of([rows for rows, _ in drawn]), torch.tensor([t for _, t in drawn])
    chosen = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    plain, batch = builder().build(kept, target, False), builder().build(kept, target, torch.tensor(chosen))
    masks = batch.input_ids == tokenizer().mask_token_id
    assert torch.equal(masks, batch.target_mask & torch.tensor(chosen)[:, None])
    assert torch.equal(masks, batch.labels != -100)
    assert torch.equal(torch.where(masks, batch.labels, batch.input_ids), plain.input_ids)
    for row, (_, asked) in enumerate(drawn):
        words = pieces_of(SCHEMA.attributes[asked].name) if chosen[row] else []
        assert batch.labels[row][masks[row]].tolist() == words
    sentence, position = batch.masked_positions()
    assert (batch.input_ids[sentence, position] == tokenizer().mask_token_id).all()
    assert len(sentence) == int(masks.sum())


@settings(max_examples=40, deadline=None)
@given(rows_with_target, st.integers(14, 70), st.integers(0, 1000))
def test_long_sentences_lose_whole_attributes_but_never_the_target(
    drawn: tuple[list[int], int], max_tokens: int, seed: int
) -> None:
    rows, target = drawn
    kept, asked = kept_of([rows]), torch.tensor([target])
    ordered = tokens_of(builder(max_tokens).build(kept, asked, False), 0)
    assert ordered == ids_of(SCHEMA.sentence(fitted_by_loop(set(rows), target, max_tokens)))
    tokens = tokens_of(builder(max_tokens).build(kept, asked, False, torch.Generator().manual_seed(seed)), 0)
    left = rows_in(tokens)
    assert tokens == ids_of(SCHEMA.sentence(left))
    assert target in left
    assert left <= set(rows)
    assert len(tokens) <= max_tokens
    dropped = set(rows) - left
    assert not dropped or any(len(ids_of(SCHEMA.sentence(left | {row}))) > max_tokens for row in dropped)


def test_random_dropping_gives_attributes_of_equal_length_the_same_chance() -> None:
    names = ["blue", "very", "small", "light", "in", "colored"]
    schema = AttributeSchema.from_pairs(("color", name) for name in names)
    # [CLS] color : + 4 names + 3 commas + [SEP] = 11 tokens: of five others three stay.
    short = SentenceBuilder(schema=schema, tokenizer=tokenizer(), max_tokens=11)
    draws = 8000
    kept = torch.ones(draws, len(names), dtype=torch.bool)
    batch = short.build(kept, torch.full((draws,), 2), True, torch.Generator().manual_seed(1))
    assert batch.attention_mask.all()
    assert batch.target_mask.sum(dim=1).eq(1).all()
    for name in names[:2] + names[3:]:
        share = (batch.input_ids == pieces_of(name)[0]).any(dim=1).double().mean().item()
        assert abs(share - 0.6) < 5 * (0.24 / draws) ** 0.5
    again = short.build(kept, torch.full((draws,), 2), True, torch.Generator().manual_seed(1))
    assert torch.equal(again.input_ids, batch.input_ids)


def test_templates_equal_the_schemas() -> None:
    template = builder().template()
    assert template.input_ids.tolist() == [ids_of(SCHEMA.template())]
    assert template.attention_mask.all()
    assert not template.target_mask.any()
    asked, positions = builder().mask_template()
    assert asked.input_ids.tolist() == [ids_of(SCHEMA.mask_template())]
    assert positions.shape == (len(SCHEMA.prompts),)
    assert (asked.input_ids[0, positions] == tokenizer().mask_token_id).all()
    assert (asked.labels == -100).all()


def test_a_batch_moves_whole() -> None:
    moved = builder().build(kept_of([[0], [0, 1]]), torch.tensor([0, 1]), True).to("meta")
    tensors = (moved.input_ids, moved.attention_mask, moved.target_mask, moved.labels)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_refuses_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="target 1 is not kept"):
        builder().build(kept_of([[0]]), torch.tensor([1]), True)
    with pytest.raises(ValueError, match=r"expected \(N, 11\)"):
        builder().build(torch.ones(1, 3, dtype=torch.bool), torch.tensor([1]), True)
    with pytest.raises(ValueError, match=r"'size: very small .* alone needs 12 tokens, max_tokens is 11"):
        builder(11).build(kept_of([[0, 1], [0]]), torch.tensor([1, 0]), True)
    with pytest.raises(ValueError, match="template has 16 tokens, max_tokens is 11"):
        builder(11).template()
    with pytest.raises(ValueError, match="template has 20 tokens, max_tokens is 19"):
        builder(19).mask_template()


def test_refuses_tokenizers_and_schemas_that_do_not_fit() -> None:
    unknown = AttributeSchema.from_pairs([("wing color", "octarine")])
    with pytest.raises(ValueError, match="no pieces for 'octarine'"):
        SentenceBuilder(schema=unknown, tokenizer=tokenizer(), max_tokens=PLENTY)
    with pytest.raises(ValueError, match="no mask token"):
        SentenceBuilder(schema=SCHEMA, tokenizer=made_tokenizer(mask=False), max_tokens=PLENTY)
    plain = AttributeSchema.from_pairs([("wing color", "blue"), ("size", "small")])
    # The colon sticks to the word before it: parts and whole differ.
    by_space = made_tokenizer(extra="color: size:", by_space=True)
    with pytest.raises(ValueError, match="but its parts give"):
        SentenceBuilder(schema=plain, tokenizer=by_space, max_tokens=PLENTY)
