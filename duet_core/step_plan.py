"""What one training step looks at: photos, sentences and partners, drawn before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from duet_core.benchmarks import Benchmark, Split
from duet_core.config import SamplingConfig
from duet_core.processes import Processes
from duet_core.sampling import ContrastSampler, SentenceBatch, SentenceBuilder, TargetSampler, prune
from duet_core.shares import Share, own_sentences, share_of

Stage = Literal["CLS", "CSG"]
PARTNERS = 5
"""Photos beside an anchor in the attribute-level contrast: one of c+, two of each of two c- (A.5)."""


@dataclass(frozen=True)
class Grounding:
    """The sentences of stage CSG.

    Letter key: N sentences, n of them masked (one for each of the first n anchors, in order), m anchors with partners.

    Attributes:
        sentences: N sentences; the masked ones first.
        image: (N,) row of `StepPlan.photos` beside each sentence.
        degree: (n,) degree of the masked attribute in its class (Eq. 5).
        acl_anchor: (m,) masked sentence of each anchor with partners.
        acl_partner: (m, 5) sentences of its partners: a+, then four a-.
        acl_weight: (m,) min of the target's degrees in c and c+ (Eq. 15).
        skipped: anchors that have no candidate for a partner.
    """

    sentences: SentenceBatch
    image: Tensor
    degree: Tensor
    acl_anchor: Tensor
    acl_partner: Tensor
    acl_weight: Tensor
    skipped: int

    def to(self, device: torch.device) -> Grounding:
        """The same sentences on another device."""
        return Grounding(
            sentences=self.sentences.to(device),
            image=self.image.to(device),
            degree=self.degree.to(device),
            acl_anchor=self.acl_anchor.to(device),
            acl_partner=self.acl_partner.to(device),
            acl_weight=self.acl_weight.to(device),
            skipped=self.skipped,
        )


@dataclass(frozen=True)
class StepPlan:
    """One step. Letter key: B anchors, M photos (the anchors first, then their partners).

    Attributes:
        stage: T_CLS or T_CSG.
        photos: (M,) data set rows.
        label: (M,) rows among the split's seen classes.
        anchors: B.
        positive: (b,) row of `photos` that is v+ of each of the first b <= B anchors (Eq. 10); None when not asked for.
            Of a share, those of the whole step.
        grounding: the sentences; None in stage CLS.
        share: which part of a step of several processes this is; None of a single one.
    """

    stage: Stage
    photos: Tensor
    label: Tensor
    anchors: int
    positive: Tensor | None
    grounding: Grounding | None
    share: Share | None = None

    def to(self, device: torch.device) -> StepPlan:
        """The same plan on another device; `photos` stay on the host, where the image source looks them up."""
        return replace(
            self,
            label=self.label.to(device),
            positive=None if self.positive is None else self.positive.to(device),
            grounding=None if self.grounding is None else self.grounding.to(device),
            share=None if self.share is None else self.share.to(device),
        )


def epoch_batches(labels: Tensor, *, batch_size: int, paired: bool, generator: torch.Generator) -> list[Tensor]:
    """One epoch in random order: batches of positions into `labels` (n,), each position at least once.

    With `paired`, positions 2i and 2i+1 of a batch are different photos of one class, so that each is the other's
    positive (Eq. 10) without a further forward pass; a class with an odd count repeats one of its photos.
    A single position left over joins the batch before it: a batch norm cannot standardise one photo.
    """
    if not paired:
        batches = list(torch.split(torch.randperm(len(labels), generator=generator), batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches
    pairs = []
    for label in torch.unique(labels):
        own = (labels == label).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=generator)]
        if len(own) % 2:
            own = torch.cat((own, own[:1]))
        pairs.append(own.view(-1, 2))
    stacked = torch.cat(pairs)
    order = torch.randperm(len(stacked), generator=generator)
    return [chunk.flatten() for chunk in torch.split(stacked[order], batch_size // 2)]


class StepPlanner:
    """Draws step plans for one split; every draw comes from the generator it is given.

    Without `class_contrast` (λ_con = 0) stage CLS asks for no positives and batches are not paired; without
    `attribute_contrast` (λ_acl = 0) stage CSG asks for no partners, and encodes none.
    Letter key: A attributes, Cs seen classes of the split.
    """

    def __init__(
        self,
        *,
        benchmark: Benchmark,
        split: Split,
        sampling: SamplingConfig,
        tokenizer: PreTrainedTokenizerBase,
        max_tokens: int,
        class_contrast: bool = True,
        attribute_contrast: bool = True,
    ) -> None:
        """Compute the tables of Eqs. 2 and 16-20 for a split.

        Args:
            benchmark: photos, labels and class table.
            split: its training photos are the anchors, and the only partners.
            sampling: the switches and shares of the recipe; with its `partner_pool` "train_and_test_seen" the split's
                `seen_eval` photos are partners too, which is a leak.
            tokenizer, max_tokens: of the attribute sentences, see `SentenceBuilder`.
            class_contrast: whether L_con is used and asks for positives.
            attribute_contrast: whether L_acl is used and asks for partners.
        """
        self._config = sampling
        self._class_contrast, self._attribute_contrast = class_contrast, attribute_contrast
        classes, seen = benchmark.classes, split.seen_classes
        self._present = torch.from_numpy(classes.present[seen])  # (Cs, A)
        self._degree = torch.from_numpy(classes.degree[seen])  # (Cs, A)
        local = torch.full((len(classes.names),), -1)
        local[torch.from_numpy(seen)] = torch.arange(len(seen))
        self.train_rows = torch.from_numpy(split.train)  # (n,)
        self.train_labels = local[torch.from_numpy(benchmark.labels[split.train])]  # (n,)
        self.sentences = SentenceBuilder(
            schema=benchmark.schema, tokenizer=tokenizer, max_tokens=max_tokens, content=sampling.sentence
        )
        self._targets = TargetSampler(present=self._present, weighting=sampling.lwrs)
        pool = split.train
        if sampling.partner_pool == "train_and_test_seen":
            pool = np.concatenate([split.train, split.seen_eval])
        rows, labels = torch.from_numpy(pool), local[torch.from_numpy(benchmark.labels[pool])]
        self._contrast = ContrastSampler(
            schema=benchmark.schema,
            present=self._present,
            degree=self._degree,
            images_of_class=[rows[labels == c] for c in range(len(seen))],
            candidates=sampling.acl_candidates,
            class_weighting=sampling.class_weighting,
            distance=sampling.distance,
        )

    @property
    def paired(self) -> bool:
        """Whether batches are made of pairs of photos of one class."""
        return self._class_contrast and self._config.positives == "in_batch"

    def draw_stage(self, generator: torch.Generator) -> Stage:
        """T_CSG with probability ρ, T_CLS otherwise (Eqs. 13, 14)."""
        return "CSG" if float(torch.rand((), generator=generator)) < self._config.rho else "CLS"

    def plan(
        self,
        positions: Tensor,
        stage: Stage,
        generator: torch.Generator,
        *,
        begun: int = 1,
        processes: Processes | None = None,
    ) -> StepPlan:
        """The plan of a step whose anchors are the training photos at `positions` (B,).

        Args:
            positions: of all processes together.
            stage: of the step.
            generator: the source of randomness, in the same state in all processes.
            begun: processes that the run was begun with; the recipe's numbers of anchors are of each of them.
            processes: those that share the step; None for a single one. The plan is this process's share.
        """
        rows, label, alone = self.train_rows[positions], self.train_labels[positions], Processes()
        whole = (
            self._plan_grounding(rows, label, generator, begun, processes or alone)
            if stage == "CSG"
            else self._plan_classes(rows, label, generator, begun)
        )
        return whole if processes in (None, alone) else share_of(whole, processes)

    def _plan_classes(self, rows: Tensor, label: Tensor, generator: torch.Generator, begun: int) -> StepPlan:
        count = len(rows)
        if not self._class_contrast:
            return StepPlan("CLS", rows, label, count, None, None)
        if self._config.positives == "in_batch":
            positive = torch.arange(count) ^ 1  # 0 <-> 1, 2 <-> 3, …
            return StepPlan("CLS", rows, label, count, positive, None)
        asked = min((self._config.con_anchors or count) * begun, count)
        drawn = self._contrast.sample_positive(label[:asked], rows[:asked], generator)
        return StepPlan(
            "CLS",
            torch.cat((rows, drawn)),
            torch.cat((label, label[:asked])),
            count,
            torch.arange(count, count + asked),
            None,
        )

    def _plan_grounding(
        self, rows: Tensor, label: Tensor, generator: torch.Generator, begun: int, processes: Processes
    ) -> StepPlan:
        count = len(rows)
        masked = min((self._config.csg_anchors or count) * begun, count)
        acl = masked if self._config.acl_anchors is None else min(self._config.acl_anchors * begun, masked)
        acl = acl if self._attribute_contrast else 0
        target = self._targets.sample(label[:masked], generator)  # (n,)
        partners = self._contrast.sample(label[:acl], target[:acl], generator)
        classes = torch.cat((label[:masked], partners.class_index.flatten()))  # (N,)
        targets = torch.cat((target, partners.target.flatten()))
        only = torch.arange(len(classes))
        if processes.world > 1:
            only = own_sentences(
                anchors=count, masked=masked, acl_anchor=partners.anchor, partners=PARTNERS, processes=processes
            )
        kept = prune(self._present[classes], targets, self._config.rap_ratio, generator, only)
        partner_images = torch.arange(partners.image.numel())
        positive_class = partners.class_index[:, 0]
        return StepPlan(
            stage="CSG",
            photos=torch.cat((rows, partners.image.flatten())),
            label=torch.cat((label, partners.class_index.flatten())),
            anchors=count,
            positive=None,
            grounding=Grounding(
                sentences=self.sentences.build(
                    kept, targets[only], only < masked, generator, only=(only, len(classes))
                ),
                image=torch.cat((torch.arange(masked), count + partner_images)),
                degree=self._degree[label[:masked], target],
                acl_anchor=partners.anchor,
                acl_partner=masked + partner_images.view(-1, PARTNERS),
                acl_weight=torch.minimum(
                    self._degree[label[partners.anchor], target[partners.anchor]],
                    self._degree[positive_class, partners.target[:, 0]],
                ),
                skipped=partners.skipped,
            ),
        )
