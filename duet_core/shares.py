"""Which part of a step's plan each process of a distributed run computes.

Every process draws the whole step, as a single process with the whole batch would, and takes its share of it. So what
is drawn does not depend on the number of processes, and each knows what the others have without asking. Sentences,
which take the longest to put together, are made for the share alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from duet_core.processes import Processes

if TYPE_CHECKING:
    from duet_core.step_plan import Grounding, StepPlan


@dataclass(frozen=True)
class Share:
    """What a plan of one process is of the whole step of W processes. Letter key: M photos of the whole step.

    Attributes:
        processes: this one among all.
        photos: (M,) data set rows, on the host.
        rows: (m,) those of this process, as rows of `photos`, on the host.
        sizes: m of each process.
        order: (M,) row of each of `photos` among those gathered, one process after the other.
        label: (M,) rows among the split's seen classes.
        anchors, masked, partners: W · own / all: a mean over this process's anchors, masked sentences, or anchors with
            partners, times this has the mean over all as its mean over the processes.
        has_partners: whether any process has an anchor with partners.
    """

    processes: Processes
    photos: Tensor
    rows: Tensor
    sizes: tuple[int, ...]
    order: Tensor
    label: Tensor
    anchors: float
    masked: float
    partners: float
    has_partners: bool

    def to(self, device: torch.device) -> Share:
        """The same share, with what the losses need on another device."""
        return replace(self, order=self.order.to(device), label=self.label.to(device))


def share_of(plan: StepPlan, processes: Processes) -> StepPlan:
    """This process's share of a step.

    Anchor i belongs to process i mod W, so that the sizes differ by one at most, and anchors that come first for being
    masked, or for having partners, are dealt out alike. A process for which there is no anchor, because the last batch
    of an epoch has fewer than there are processes, computes the share of another with weight 0.

    Args:
        plan: of the whole step; its sentences are those of `own_sentences`.
        processes: W of them.
    """
    world, count = processes.world, plan.anchors
    held = [_rows(plan, rank % count, world) for rank in range(world)]
    sizes = tuple(len(rows) for rows in held)
    order, offset = torch.empty(len(plan.photos), dtype=torch.int64), 0
    for rows in held[:count]:
        order[rows] = offset + torch.arange(len(rows))
        offset += len(rows)
    first, rows, whole = processes.rank % count, held[processes.rank], plan.grounding
    own = len(range(first, count, world))
    grounding = None if whole is None else _grounding(whole, first, world, own)

    def weight(mine: int, every: int) -> float:
        return world * mine / every if every and processes.rank < count else 0.0

    share = Share(
        processes=processes,
        photos=plan.photos,
        rows=rows,
        sizes=sizes,
        order=order,
        label=plan.label,
        anchors=weight(own, count),
        masked=weight(len(grounding.degree), len(whole.degree)) if grounding and whole else 0.0,
        partners=weight(len(grounding.acl_anchor), len(whole.acl_anchor)) if grounding and whole else 0.0,
        has_partners=whole is not None and len(whole.acl_anchor) > 0,
    )
    photos, label = plan.photos[rows], plan.label[rows]
    return replace(plan, photos=photos, label=label, anchors=own, grounding=grounding, share=share)


def own_sentences(*, anchors: int, masked: int, acl_anchor: Tensor, partners: int, processes: Processes) -> Tensor:
    """The sentences of this process's share, as rows of the whole step's: masked ones, then those of partners.

    Args:
        anchors: of the whole step.
        masked: how many of them are masked.
        acl_anchor: (k,) those that have partners.
        partners: of each of them.
        processes: W of them.
    """
    first = processes.rank % anchors
    held = _partners_of(acl_anchor.repeat_interleave(partners), first, processes.world)
    return torch.cat((torch.arange(first, masked, processes.world), masked + held))


def _partners_of(anchor: Tensor, first: int, world: int) -> Tensor:
    """Where `anchor` (n,) is one of first, first + W, …"""
    return (anchor % world == first).nonzero().flatten()


def _rows(plan: StepPlan, first: int, world: int) -> Tensor:
    """The photos of anchors first, first + W, … and of their partners, as rows of the whole plan's."""
    if plan.grounding is not None:
        anchor = plan.grounding.acl_anchor.repeat_interleave(plan.grounding.acl_partner.shape[1])
    else:  # a positive drawn for each of the first anchors, or none
        anchor = torch.arange(len(plan.photos) - plan.anchors)
    return torch.cat((torch.arange(first, plan.anchors, world), plan.anchors + _partners_of(anchor, first, world)))


def _grounding(whole: Grounding, first: int, world: int, own: int) -> Grounding:
    """The sentences of `own` anchors first, first + W, … and of their partners, counted among themselves."""
    masked = torch.arange(first, len(whole.degree), world)  # (n,)
    contrast = _partners_of(whole.acl_anchor, first, world)  # (k,)
    each = whole.acl_partner.shape[1]
    partners = torch.arange(each * len(contrast))
    return replace(
        whole,
        image=torch.cat((torch.arange(len(masked)), own + partners)),
        degree=whole.degree[masked],
        acl_anchor=whole.acl_anchor[contrast] // world,
        acl_partner=len(masked) + partners.view(-1, each),
        acl_weight=whole.acl_weight[contrast],
    )
