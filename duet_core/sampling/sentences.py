"""Attribute sentences as token ids, assembled from parts tokenised once (Eqs. 1, 12, 26; APM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from duet_core.attributes import AttributeSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Content = Literal["full", "prompts", "names"]

IGNORED = -100
"""Label of a position that is not masked."""


@dataclass(frozen=True)
class SentenceBatch:
    """N attribute sentences of at most T tokens, [CLS] and [SEP] included, padded at the end.

    Attributes:
        input_ids: (N, T) int64 pieces; [MASK] where the target is masked, `pad_id` after the end.
        attention_mask: (N, T) bool, False on padding.
        target_mask: (N, T) bool, True at the pieces of the target attribute's name, masked or not.
        labels: (N, T) int64 the original piece at masked positions, -100 everywhere else.
        pad_id: piece used as padding.
    """

    input_ids: Tensor
    attention_mask: Tensor
    target_mask: Tensor
    labels: Tensor
    pad_id: int

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def to(self, device: torch.device | str) -> SentenceBatch:
        """The same sentences on another device."""
        ids, attended, hit, labels = (
            tensor.to(device, non_blocking=True)
            for tensor in (self.input_ids, self.attention_mask, self.target_mask, self.labels)
        )
        return SentenceBatch(ids, attended, hit, labels, self.pad_id)

    def masked_positions(self) -> tuple[Tensor, Tensor]:
        """Sentence (Q,) and position (Q,), both int64, of every masked piece, sentence after sentence."""
        sentence, position = (self.labels != IGNORED).nonzero(as_tuple=True)
        return sentence, position


class SentenceBuilder:
    """Turns sets of attributes into attribute sentences of token ids, many in one call.

    All pieces of the sentence of *all* attributes lie in one row, the stream. Every piece belongs to a unit that is
    present or not: a name, the comma before it, the head of a prompt set ("wing color :"), the bar before it, or a
    prompt set's mask slot. A sentence is the stream without the pieces of its absent units, so the ids equal those of
    the tokenizer on `AttributeSchema.sentence` and the pieces of an attribute are known by position, never by text.

    Of the sentence of Table 3's row 4 ("only prompts") the names are absent, except the target's; of row 5's ("without
    prompts") heads and bars are, so that names of all prompt sets follow each other with commas between.
    """

    def __init__(
        self,
        *,
        schema: AttributeSchema,
        tokenizer: PreTrainedTokenizerBase,
        max_tokens: int,
        content: Content = "full",
    ) -> None:
        """Tokenise every part once.

        Args:
            schema: the attributes and their prompt sets.
            tokenizer: a BERT-type tokenizer: it has [CLS], [SEP], [MASK], [PAD] and splits at spaces and punctuation.
            max_tokens: greatest length T of a sentence, [CLS] and [SEP] included.
            content: "full" as in Eq. 1, ``wing color: blue, grey | size: small``; "prompts" with the target alone in
                its place, ``wing color: blue | size:``; "names" without prompts, ``blue, grey, small``, whose template
                (Eq. 12) is [CLS] [SEP].

        Raises:
            ValueError: the tokenizer lacks a special token, does not know a part of the schema, or gives other ids
                for a sentence than for its parts; an unknown content.
        """
        if content not in get_args(Content):
            raise ValueError(f"got content {content!r}; allowed are {', '.join(get_args(Content))}")
        self.schema = schema
        self.content = content
        self.max_tokens = max_tokens
        self._set_of = torch.tensor(schema.prompt_index)  # (A,)
        self._in_order = torch.tensor(
            [row for rows in schema.prompt_sets for row in rows]
        )  # (A,) rows as in a sentence
        self._set_start = _starts([len(rows) for rows in schema.prompt_sets])  # (k,) places in `_in_order`
        self._lay_out_stream(tokenizer)
        self._check_against(tokenizer)

    def build(
        self,
        kept: Tensor,
        target: Tensor,
        masked: bool | Tensor,
        generator: torch.Generator | None = None,
        only: tuple[Tensor, int] | None = None,
    ) -> SentenceBatch:
        """One sentence for each row, with the target's pieces marked and, if wanted, masked.

        A sentence over `max_tokens` loses whole attributes (and prompt sets that become empty) until it fits, never
        the target: in an order drawn uniformly for each sentence where a generator is given, from the end of the
        schema otherwise. Prompts without a name after them are never dropped.

        Args:
            kept: (N, A) bool, the attributes of each sentence.
            target: (N,) int64 the target attribute, one of those kept.
            masked: whether the target's pieces become [MASK]; one bool, or (N,) bool.
            generator: the source of randomness for dropping.
            only: rows (N,) of these sentences among so many for which the draws are made, when they are some of them.

        Raises:
            ValueError: wrong shapes, a target that is not kept, or one that does not fit even alone.
        """
        count = kept.shape[0]
        if kept.shape != (count, len(self.schema)) or kept.dtype != torch.bool or target.shape != (count,):
            raise ValueError(
                f"got kept {tuple(kept.shape)} {kept.dtype} and target {tuple(target.shape)}; "
                f"expected (N, {len(self.schema)}) torch.bool and (N,)"
            )
        if not bool(kept.gather(1, target[:, None]).all()):
            row = int((~kept.gather(1, target[:, None])).nonzero()[0, 0])
            raise ValueError(f"sentence {row}: target {int(target[row])} is not kept; it must be in its own sentence")
        rows, every = only or (torch.arange(count), count)
        if self.content == "prompts":
            fitting = self._target_only(target)
        else:
            keys = None if generator is None else torch.rand(every, kept.shape[1], generator=generator)[rows]  # (N, A)
            fitting = self._fit(kept, target, keys)
        source = self._assemble(self._units(fitting))  # (N, T)
        hit = self._attribute[source] == target[:, None]
        mask = torch.as_tensor(masked).expand(count)[:, None] & hit  # (N, T)
        return self._batch(source, hit, mask)

    def template(self) -> SentenceBatch:
        """The classification template (Eq. 12) as a batch of N = 1; no target, no label.

        Raises:
            ValueError: it has more than `max_tokens` tokens.
        """
        source = self._fitting(self._assemble(self._head_units(slots=False)))
        nowhere = torch.zeros_like(source, dtype=torch.bool)
        return self._batch(source, nowhere, nowhere)

    def mask_template(self) -> tuple[SentenceBatch, Tensor]:
        """The interpretation template (Eq. 26) as a batch of N = 1, and the position (k,) of each prompt set's mask.

        Raises:
            ValueError: it has more than `max_tokens` tokens, or sentences have no prompts.
        """
        if self.content == "names":
            raise ValueError("sampling.sentence: got 'names'; without prompts there is no interpretation template")
        source = self._fitting(self._assemble(self._head_units(slots=True)))
        nowhere = torch.zeros_like(source, dtype=torch.bool)
        return self._batch(source, nowhere, nowhere), self._slot[source[0]].nonzero().squeeze(1)

    def _lay_out_stream(self, tokenizer: PreTrainedTokenizerBase) -> None:
        attributes, sets = len(self.schema), len(self.schema.prompts)
        # Units: 0 always present, then A names, A commas, k heads, k bars, k mask slots.
        name, comma, head = 1, 1 + attributes, 1 + 2 * attributes
        bar, slot = head + sets, head + 2 * sets
        special = {kind: _special(tokenizer, kind) for kind in ("cls", "sep", "mask", "pad")}
        mark = {text: _pieces(tokenizer, text) for text in (":", "|", ",")}
        names = [_pieces(tokenizer, attribute.name) for attribute in self.schema.attributes]
        heads = [_pieces(tokenizer, prompt) + mark[":"] for prompt in self.schema.prompts]
        stream = [(special["cls"], 0)]
        for index, rows in enumerate(self.schema.prompt_sets):
            stream += [(piece, bar + index) for piece in mark["|"]]
            stream += [(piece, head + index) for piece in heads[index]]
            stream.append((special["mask"], slot + index))
            for row in rows:
                stream += [(piece, comma + row) for piece in mark[","]]
                stream += [(piece, name + row) for piece in names[row]]
        stream += [(special["sep"], 0), (special["pad"], -1)]  # the last entry stands for padding
        pieces, units = torch.tensor(stream).unbind(dim=1)
        self._stream, self._unit = pieces, units[:-1]  # (S + 1,), (S,)
        self._attribute = torch.where((units >= name) & (units < comma), units - name, -1)  # (S + 1,)
        self._slot = units >= slot  # (S + 1,)
        self._mask_id, self._pad_id = special["mask"], special["pad"]
        self._name_length = torch.tensor([len(pieces) for pieces in names])  # (A,)
        self._head_length = torch.tensor([len(pieces) for pieces in heads])  # (k,)
        self._mark_length = {text: len(pieces) for text, pieces in mark.items()}

    def _check_against(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Prove once that assembling parts gives the tokenizer's own ids: true of BERT's word pieces, not of all."""
        kept = torch.zeros(len(self.schema.prompts), len(self.schema), dtype=torch.bool)
        kept[self._set_of, torch.arange(len(self.schema))] = True  # one sentence for each prompt set
        if self.content == "prompts":  # or for its first attribute
            kept = self._target_only(torch.tensor([rows[0] for rows in self.schema.prompt_sets]))
        ours = [row[row < len(self._unit)] for row in self._assemble(self._units(kept))]
        ours.append(self._assemble(self._head_units(slots=False))[0])
        texts = [self._text(rows) for rows in self.schema.prompt_sets] + [self._text(())]
        for source, text in zip(ours, texts, strict=True):
            theirs, mine = list(tokenizer(text)["input_ids"]), self._stream[source].tolist()
            if theirs != mine:
                raise ValueError(
                    f"the tokenizer gives {theirs} for {text!r} but its parts give {mine}; "
                    "use a tokenizer of BERT's word pieces, for example that of all-MiniLM-L6"
                )

    def _text(self, rows: Sequence[int]) -> str:
        """The sentence of these attributes of one prompt set as text; of none the template of Eq. 12."""
        names = [self.schema.attributes[row].name for row in rows]
        if self.content == "names":
            return ", ".join(names)
        if self.content == "prompts" or not names:
            first = self.schema.attributes[rows[0]] if names else None
            return " | ".join(
                f"{prompt}: {first.name}" if first is not None and first.prompt == prompt else f"{prompt}:"
                for prompt in self.schema.prompts
            )
        return self.schema.sentence(rows)

    def _target_only(self, target: Tensor) -> Tensor:
        """(N, A) the target (N,) alone. Raises ValueError where every prompt and its name are too long."""
        kept = torch.zeros(len(target), len(self.schema), dtype=torch.bool).scatter(1, target[:, None], True)
        template = int(self._head_length.sum()) + self._mark_length["|"] * (len(self._head_length) - 1) + 2
        needed = template + self._name_length[target]  # (N,)
        if len(target) and int(needed.max()) > self.max_tokens:
            row = int(needed.argmax())
            raise ValueError(
                f"sentence {row}: every prompt and its target {self.schema.keys[int(target[row])]!r} need "
                f"{int(needed[row])} tokens, max_tokens is {self.max_tokens}; raise max_tokens, for example to 256"
            )
        return kept

    def _units(self, kept: Tensor) -> Tensor:
        """Units present (N, 1 + 2A + 3k) in the sentences of the attributes kept (N, A)."""
        if self.content == "prompts":
            units = self._head_units(slots=False).repeat(len(kept), 1)
            units[:, 1 : 1 + len(self.schema)] = kept
            return units
        ordered = kept[:, self._in_order]  # (N, A) in the order of the sentence
        before = ordered.cumsum(dim=1) - ordered.long()  # (N, A) attributes kept before each
        before_set = before[:, self._set_start]  # (N, k)
        leads = torch.zeros_like(kept)
        if self.content == "names":
            leads[:, self._in_order] = before == 0
            nothing = torch.zeros(len(kept), 3 * len(self.schema.prompts), dtype=torch.bool)
            return torch.cat([torch.ones(len(kept), 1, dtype=torch.bool), kept, kept & ~leads, nothing], dim=1)
        leads[:, self._in_order] = before == before_set[:, self._set_of[self._in_order]]  # nothing kept before it
        after_set = torch.cat([before_set[:, 1:], ordered.sum(dim=1, keepdim=True)], dim=1)
        heads = after_set > before_set  # (N, k)
        bars = heads & (before_set > 0)
        always = torch.ones(len(kept), 1, dtype=torch.bool)
        return torch.cat([always, kept, kept & ~leads, heads, bars, torch.zeros_like(heads)], dim=1)

    def _head_units(self, *, slots: bool) -> Tensor:
        """Units present (1, 1 + 2A + 3k) in a template: every head, with or without its mask slot; none of "names"."""
        attributes, sets = len(self.schema), len(self.schema.prompts)
        units = torch.zeros(1, 1 + 2 * attributes + 3 * sets, dtype=torch.bool)
        units[:, 0] = True
        if self.content == "names":
            return units
        units[:, 1 + 2 * attributes :] = torch.tensor([True, True, slots]).repeat_interleave(sets)
        units[:, 1 + 2 * attributes + sets] = False  # no bar before the first prompt set
        return units

    def _assemble(self, units: Tensor) -> Tensor:
        """Places in the stream (N, T) of each sentence's pieces, S on padding, from units present (N, U)."""
        present = units[:, self._unit]  # (N, S)
        place = present.cumsum(dim=1) - 1
        sentence, piece = present.nonzero(as_tuple=True)
        source = torch.full((len(units), int(place.max()) + 1), present.shape[1])
        source[sentence, place[sentence, piece]] = piece
        return source

    def _batch(self, source: Tensor, hit: Tensor, mask: Tensor) -> SentenceBatch:
        original = self._stream[source]  # (N, T)
        return SentenceBatch(
            input_ids=original.masked_fill(mask, self._mask_id),
            attention_mask=source < len(self._unit),
            target_mask=hit,
            labels=original.masked_fill(~mask, IGNORED),
            pad_id=self._pad_id,
        )

    def _fitting(self, source: Tensor) -> Tensor:
        if source.shape[1] > self.max_tokens:
            raise ValueError(f"the template has {source.shape[1]} tokens, max_tokens is {self.max_tokens}; raise it")
        return source

    def _fit(self, kept: Tensor, target: Tensor, keys: Tensor | None) -> Tensor:
        """The attributes (N, A) that stay: the longest beginning of an order, target first, that fits.

        The order is that of `keys` (N, A), or the schema's.
        """
        if keys is None:
            keys = torch.arange(kept.shape[1], dtype=torch.float32).expand(kept.shape)
        keys = keys.masked_fill(~kept, torch.inf).scatter(1, target[:, None], -1.0)
        order = keys.argsort(dim=1, stable=True)  # (N, A) attributes, the last to be dropped first
        rank = order.argsort(dim=1)
        sets = self._set_of.expand(kept.shape)
        first = torch.full((len(kept), len(self.schema.prompts)), kept.shape[1])
        first = first.scatter_reduce(1, sets, rank, "amin")  # (N, k) rank at which each set enters the sentence
        # An attribute brings a comma, or, as the first of its set, the set's head and bar.
        entry = self._head_length[self._set_of] + self._mark_length["|"]  # (A,)
        cost = self._name_length + torch.where(rank == first.gather(1, sets), entry, self._mark_length[","])
        if self.content == "names":
            cost = (self._name_length + self._mark_length[","]).expand(kept.shape)
        # The sentence's first set has no bar, its first name no comma; [CLS] and [SEP] are two more.
        spared = self._mark_length["," if self.content == "names" else "|"]
        length = cost.gather(1, order).cumsum(dim=1) - spared + 2  # (N, A) by rank
        if len(kept) and int(length[:, 0].max()) > self.max_tokens:
            row = int(length[:, 0].argmax())
            raise ValueError(
                f"sentence {row}: its target {self.schema.keys[int(target[row])]!r} alone needs {int(length[row, 0])} "
                f"tokens, max_tokens is {self.max_tokens}; raise max_tokens, for example to 256"
            )
        return kept & (length.gather(1, rank) <= self.max_tokens)


def _starts(lengths: Sequence[int]) -> Tensor:
    """First place (k,) of each of k runs laid end to end."""
    ends = torch.tensor(lengths).cumsum(dim=0)
    return ends - torch.tensor(lengths)


def _special(tokenizer: PreTrainedTokenizerBase, kind: str) -> int:
    value = getattr(tokenizer, f"{kind}_token_id")
    if not isinstance(value, int):
        raise ValueError(f"the tokenizer has no {kind} token; a BERT-type one with [{kind.upper()}] is needed")
    return value


def _pieces(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of one part, without [CLS] and [SEP]."""
    ids = [int(piece) for piece in tokenizer(text, add_special_tokens=False)["input_ids"]]
    if not ids or tokenizer.unk_token_id in ids:
        raise ValueError(f"the tokenizer knows no pieces for {text!r}; spell it in words of its vocabulary")
    return ids
