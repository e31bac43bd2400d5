"""The training loop: AdamW, schedule, accumulation, mixed precision, several processes, resume, progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from duet_core.checkpoint import CheckpointError, begun_by, load_checkpoint, save_checkpoint
from duet_core.config import ConfigError, OptimizerConfig, TrainConfig
from duet_core.image_source import ImageSource
from duet_core.model.joint_norm import join_batch_norms
from duet_core.processes import Processes
from duet_core.step_plan import StepPlan, StepPlanner, epoch_batches
from duet_core.training_log import TrainingLog
from duet_core.weight_average import WeightAverage

_LOGGER = logging.getLogger(__name__)
LEAST_UPDATES = 5
"""Optimiser updates that one_cycle needs to rise and fall."""
_RANKS = 104_729
"""Between the seeds of two processes' dropout."""
_EPOCH_STREAM, _STEP_STREAM, _DROPOUT_STREAM = 1, 2, 3


def stream(seed: int, purpose: int, number: int) -> torch.Generator:
    """A generator of its own for each epoch and step, so that a resumed run draws what an unbroken one draws."""
    return torch.Generator().manual_seed((seed * 7919 + purpose) * 1_000_003 + number)


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Trainable parameters by part (vision, language, cross-modal layers, new) and by whether they decay.

    Weights do; biases and norms do not. Each group carries its peak learning rate.
    """
    rates = {
        "vision": config.lr_vision,
        "language": config.lr_language,
        "cross_modal": config.lr_cross_modal,
        "new": config.lr_new,
    }
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = name.split(".")[0]
            groups.setdefault((part if part in rates else "new", parameter.ndim > 1), []).append(parameter)
    return [
        {"params": group, "lr": rates[part], "weight_decay": config.weight_decay if decays else 0.0, "name": part}
        for (part, decays), group in groups.items()
    ]


def build_schedule(
    optimizer: torch.optim.Optimizer, config: OptimizerConfig, *, updates: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rates over `updates` optimiser updates.

    Raises ConfigError when one_cycle has too few updates to rise and fall in: the last one is at a rate near 0, and a
    warm-up of exactly one update makes PyTorch divide by zero.
    """
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if updates < LEAST_UPDATES or config.warmup * updates == 1:
        raise ConfigError(
            f"optimizer.schedule: one_cycle with optimizer.warmup {config.warmup} cannot rise and fall over {updates} "
            f"updates; allowed are {LEAST_UPDATES} or more, of which the warm-up is not exactly one; train longer, "
            "or take optimizer.schedule=constant"
        )
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=updates,
        pct_start=config.warmup,
        cycle_momentum=False,
    )


def placed(task: nn.Module, device: torch.device) -> nn.Module:
    """The task itself, moved to the device and laid out as its convolutions are fastest there."""
    task.to(device)
    for part in task.modules():
        if isinstance(part, nn.Conv2d):  # channels last: a third faster for convolutions on CPU and Hopper alike
            part.to(memory_format=torch.channels_last)
    return task


class Trainer:
    """Trains one task on one split.

    Everything random in step i comes from generators made of (seed, i): a run resumed from a checkpoint continues
    bit-equal on the CPU.

    A distributed run takes the steps of a single process whose batch is `batch_size` times the number of processes it
    was begun with: each process draws the whole step and computes its share (`duet_core.shares`), batch norms and
    class contrast look at the photos of all. Resumed on another number of processes the batch stays what it was.

    Attributes:
        task: what trains.
        steps: steps of the whole run, each taken by all processes together.
        seconds: wall time of all parts of the run so far.
    """

    def __init__(
        self,
        *,
        task: nn.Module,
        planner: StepPlanner,
        images: ImageSource,
        config: TrainConfig,
        seed: int,
        folder: Path,
        device: torch.device,
        processes: Processes | None = None,
    ) -> None:
        """Prepare a run; before `fit` nothing is written, and read only how many processes began it.

        Args:
            task: model and losses; its `model` is what checkpoints hold.
            planner: draws what each step looks at.
            images: where its photos come from.
            config: the recipe.
            seed: of every random draw.
            folder: of checkpoint and logs.
            device: to train on.
            processes: this process's place among those of torchrun; None when it is alone.

        Raises ValueError when a step is too small for so many processes, ConfigError when the run has too few updates
        for its schedule.
        """
        self._processes = processes or Processes()
        self.task = placed(task, device)
        if self._processes.world > 1:
            join_batch_norms(self.task, self._processes, device)
        self._planner, self._images, self._config = planner, images, config
        self._seed, self._folder, self._device = seed, folder, device
        self._model = cast(nn.Module, task.model)
        settings = config.optimizer
        self._optimizer = torch.optim.AdamW(parameter_groups(self._model, settings), betas=settings.betas)
        self._begun = begun_by(self.checkpoint) or self._processes.world
        first = self._epoch(0)
        self._check_shares(len(first[0]))
        self._epoch_steps = len(first)
        self.steps = self._epoch_steps * settings.epochs
        self._schedule = build_schedule(self._optimizer, settings, updates=-(-self.steps // settings.accumulation))
        self.seconds = 0.0
        self._average = WeightAverage(self._model, settings.average) if settings.average else None
        self._forward: nn.Module = task
        if self._processes.world > 1:
            self._forward = DistributedDataParallel(task, find_unused_parameters=True)

    @property
    def checkpoint(self) -> Path:
        """Where this run's newest checkpoint lies."""
        return self._folder / "checkpoint.pt"

    def _epoch(self, epoch: int) -> list[Tensor]:
        """The batches of one epoch, each of all processes together."""
        return epoch_batches(
            self._planner.train_labels,
            batch_size=self._config.optimizer.batch_size * self._begun,
            paired=self._planner.paired,
            generator=stream(self._seed, _EPOCH_STREAM, epoch),
        )

    def _check_shares(self, batch: int) -> None:
        """Refuse more processes than a step has anchors, or masked sentences, to give them."""
        world, asked = self._processes.world, self._config.sampling.csg_anchors
        sentences = batch if asked is None or self._config.variant != "duet" else asked * self._begun
        if world > (most := min(batch, sentences)):
            raise ValueError(
                f"a step of this run has {batch} anchors, {min(batch, sentences)} of them with a sentence, which "
                f"{world} processes cannot share; allowed are 1…{most} (begun with {self._begun}, "
                f"optimizer.batch_size {self._config.optimizer.batch_size}, sampling.csg_anchors {asked} each)"
            )

    def _prepare(self, step: int, positions: Tensor) -> tuple[StepPlan, Tensor]:
        """Draw the plan of a step, take this process's share of it and fetch its images (M, *H)."""
        first = stream(self._seed, _STEP_STREAM, step)
        stage = self._planner.draw_stage(first) if self._config.variant == "duet" else "CLS"
        draws = stream(self._seed, _STEP_STREAM, step)
        plan = self._planner.plan(positions, stage, draws, begun=self._begun, processes=self._processes)
        if plan.share is None:
            hidden = self._images.train_batch(plan.photos, draws)
        else:
            hidden = self._images.train_batch(plan.share.photos, draws, plan.share.rows)
        if hidden.ndim == 4:
            hidden = hidden.contiguous(memory_format=torch.channels_last)
        return plan.to(self._device), hidden

    def _prepared(self, first: int) -> Iterator[tuple[int, StepPlan, Tensor]]:
        """Steps from `first` on, each prepared by a second thread while the one before it is computed."""
        with ThreadPoolExecutor(1) as pool:
            pending, batches, epoch = None, self._epoch(first // self._epoch_steps), first // self._epoch_steps
            for step in range(first, self.steps + 1):
                if step < self.steps:
                    if step // self._epoch_steps != epoch:
                        epoch = step // self._epoch_steps
                        batches = self._epoch(epoch)
                    future = pool.submit(self._prepare, step, batches[step % self._epoch_steps])
                else:
                    future = None
                if pending is not None:
                    yield step - 1, *pending.result()
                pending = future

    def fit(self, *, stop_after: int | None = None) -> None:
        """Train to the end, from the newest checkpoint if there is one.

        After the last step the model has the averaged weights where optimizer.average asks for them.

        Args:
            stop_after: leave off after so many steps of the whole run, at the end of the accumulation group they end
                in, with a checkpoint; None to finish.
        """
        first = self._resume()
        group = self._config.optimizer.accumulation
        last = self.steps if stop_after is None else min(-(-stop_after // group) * group, self.steps)
        if first < last:
            self._take_steps(first, last)
        if max(first, last) == self.steps and self._average:
            self._average.give()

    def _take_steps(self, first: int, last: int) -> None:
        """Steps from `first` to before `last`, with logs and checkpoints."""
        started, before = time.monotonic(), self.seconds
        main = self._processes.rank == 0
        with TrainingLog(self._folder, total=self.steps, first=first, enabled=main) as log:
            self.task.train()
            self._optimizer.zero_grad(set_to_none=True)
            for step, plan, hidden in self._prepared(first):
                if step >= last:
                    break
                with self._processes.watched():
                    losses = self._step(step, plan, hidden)
                if step % self._config.run.log_every == 0 or step + 1 == self.steps:
                    log.write(step, plan.stage, self._processes.mean(losses), rates=self._rates())
                log.advance()
                self.seconds = before + time.monotonic() - started
                if main and self._is_checkpoint(step):
                    self._save(step + 1)
            if main:
                self._save(last)
        self._processes.told(None)  # none returns before the checkpoint is there

    def _rates(self) -> dict[str, float]:
        """Learning rate of each part of the model now; its weights and its biases have the same."""
        return {str(group["name"]): float(group["lr"]) for group in self._optimizer.param_groups}

    def _is_boundary(self, step: int) -> bool:
        """Whether the optimiser moves after this step: at full groups, and at the end of the run."""
        return (step + 1) % self._config.optimizer.accumulation == 0 or step + 1 == self.steps

    def _is_checkpoint(self, step: int) -> bool:
        """Whether the accumulation group that ends with this step reaches a multiple of `checkpoint_every`.

        Within a group there is no checkpoint: gradients are not part of it.
        """
        every = self._config.run.checkpoint_every
        return self._is_boundary(step) and (step + 1) // every > (step + 1 - self._group_size(step)) // every

    def _group_size(self, step: int) -> int:
        """Steps in this step's accumulation group; the last group may be short."""
        size = self._config.optimizer.accumulation
        return min(size, self.steps - step // size * size)

    def _step(self, step: int, plan: StepPlan, hidden: Tensor) -> dict[str, Tensor]:
        settings = self._config.optimizer
        own = self._seed + _RANKS * self._processes.rank
        torch.manual_seed(stream(own, _DROPOUT_STREAM, step).initial_seed())
        autocast = settings.bf16 and (self._device.type == "cuda" or settings.bf16_on_cpu)
        with self._exchange(step):
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=autocast):
                losses: dict[str, Tensor] = self._forward(plan, hidden)
            (losses["loss"] / self._group_size(step)).backward()  # type: ignore[no-untyped-call]
        if self._is_boundary(step):
            if settings.clip:
                nn.utils.clip_grad_norm_(self._model.parameters(), settings.clip)
            self._optimizer.step()
            self._schedule.step()
            self._optimizer.zero_grad(set_to_none=True)
            if self._average:
                self._average.update()
        return {name: value.detach() for name, value in losses.items()}

    def _exchange(self, step: int) -> AbstractContextManager[None]:
        """Processes average their summed gradients once for each group, in the step after which the optimiser moves."""
        if self._is_boundary(step) or not isinstance(self._forward, DistributedDataParallel):
            return nullcontext()
        return self._forward.no_sync()

    def _resume(self) -> int:
        """Load the newest checkpoint; returns the step to go on with."""
        state = load_checkpoint(self.checkpoint, self._config, seed=self._seed, device=self._device)
        steps = self._processes.told(0 if state is None else int(state["step"]))
        if len(set(steps)) > 1:
            raise CheckpointError(
                f"the processes find {self.checkpoint} at the steps {steps} (0: none); give all nodes one shared folder"
            )
        if state is None:
            return 0
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average:
            self._average.load(state["average"])
        self.seconds = float(state["seconds"])
        if self._processes.rank == 0:
            _LOGGER.info("resumed %s at step %d of %d", self._folder, state["step"], self.steps)
            self._tell_shares(int(state.get("world", 1)))
        return int(state["step"])

    def _tell_shares(self, before: int) -> None:
        """Say what another number of processes does to the batch: nothing."""
        world, batch = self._processes.world, self._config.optimizer.batch_size * self._begun
        if before != world:
            _LOGGER.info(
                "%d processes instead of %d: a step keeps its %d anchors (optimizer.batch_size %d, begun with %d) and "
                "the run its %d steps and schedule; each process now takes %d or %d of them",
                *(world, before, batch, self._config.optimizer.batch_size, self._begun, self.steps),
                *(batch // world, -(-batch // world)),
            )

    def _save(self, step: int) -> None:
        save_checkpoint(
            self.checkpoint,
            self._config,
            seed=self._seed,
            step=step,
            world=self._processes.world,
            begun=self._begun,
            seconds=self.seconds,
            model=self._model.state_dict(),
            optimizer=self._optimizer.state_dict(),
            schedule=self._schedule.state_dict(),
            **({"average": self._average.state()} if self._average else {}),
        )
