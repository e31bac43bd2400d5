"""One recipe on one benchmark: train on a split, predict its photos, judge them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from duet_core.benchmark_mark import hold_to_benchmark
from duet_core.benchmarks import Benchmark, Split, open_benchmark
from duet_core.checkpoint import CheckpointError, load_checkpoint
from duet_core.config import TrainConfig
from duet_core.evaluation import Judged
from duet_core.image_source import ImageSource, open_images
from duet_core.model.build import build_duet, build_preprocessing, build_vision, build_vision_only
from duet_core.model.language import load_tokenizer
from duet_core.model.readout import readout
from duet_core.processes import Processes
from duet_core.prototypes import fit_prototypes
from duet_core.runtime.metric import Metric
from duet_core.sampling import SentenceBuilder, TargetSampler, sampling_correction
from duet_core.step_plan import StepPlanner
from duet_core.task import ClassVectors, DuetTask, VisionOnlyTask
from duet_core.trainer import Trainer, placed
from duet_core.weight_average import judged_weights

_LOGGER = logging.getLogger(__name__)
_EVAL_BATCH = 64
_LONGEST_TEMPLATE = 512

Task = DuetTask | VisionOnlyTask


class Experiment:
    """Everything the runs of one recipe share: benchmark, decoded photos, frozen stages, tokenizer.

    Letter key: n photos, A attributes, C classes, D width of the cross-modal layers.
    """

    def __init__(self, config: TrainConfig, *, device: torch.device, processes: Processes | None = None) -> None:
        """Nothing is read before it is asked for: benchmark, photos and tokenizer are opened at first use."""
        self.config = config
        self.device = device
        self._processes = processes or Processes()

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes: the first of a distributed run, or the only one."""
        return self._processes.rank == 0

    @cached_property
    def benchmark(self) -> Benchmark:
        """The benchmark of `data.root`, checked."""
        return open_benchmark(self.config.data)

    def hold_to(self, out: Path) -> None:
        """Refuse runs in `out` that were made before the photos, split or attributes of one's own folder changed.

        The official layouts do not change. Raises ProtocolError that says what did.
        """
        if self.config.data.layout == "folder" and self.is_main:
            hold_to_benchmark(self.benchmark, out)

    @cached_property
    def images(self) -> ImageSource:
        """Where photos come from; built at first use, among several processes by the first for all of them."""
        vision = build_vision(self.config.vision)
        preprocessing = build_preprocessing(self.config.vision, vision, size=self.config.data.image_size)
        with self._processes.first_goes_first():
            return open_images(self.config, self.benchmark, vision, preprocessing, device=self.device)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer of `language.name`."""
        return load_tokenizer(self.config.language.name)

    def split(self, name: str) -> Split:
        """The validation or the test split. The held-out photos do not depend on the seed of a run."""
        if name == "validation":
            return self.benchmark.validation_split(self.config.run.holdout)
        return self.benchmark.test_split()

    def planner(self, split: Split) -> StepPlanner:
        """The step planner of a split; partners come from its training photos only, unless the leak is measured."""
        if self.config.sampling.partner_pool != "train":
            _LOGGER.warning(
                "LEAK: sampling.partner_pool is %s: partners also come from the %d labelled photos of seen classes "
                "that this run is judged on. Its S and H are not honest; it is there to measure this fault",
                self.config.sampling.partner_pool,
                len(split.seen_eval),
            )
        return StepPlanner(
            benchmark=self.benchmark,
            split=split,
            sampling=self.config.sampling,
            tokenizer=self.tokenizer,
            max_tokens=self.config.language.max_tokens,
            class_contrast=self.config.variant == "duet" and self.config.loss.lambda_con > 0,
            attribute_contrast=self.config.loss.lambda_acl > 0,
        )

    def class_vectors(self, split: Split) -> ClassVectors:
        """z of the split's seen classes, and of all its classes with the seen ones first."""
        z = torch.from_numpy(self.benchmark.class_vectors)
        every = np.concatenate([split.seen_classes, split.unseen_classes])
        return ClassVectors(seen=z[split.seen_classes], every=z[every])

    def build_task(self, split: Split, planner: StepPlanner, *, seed: int) -> Task:
        """Model and losses of the configured variant, freshly initialised from `seed`."""
        vectors = self.class_vectors(split)
        attributes = vectors.seen.shape[1]
        if self.config.variant == "vision_only":
            return VisionOnlyTask(
                model=build_vision_only(self.config, attributes=attributes, seed=seed),
                vectors=vectors,
                config=self.config.loss,
            )
        return DuetTask(
            model=build_duet(self.config, attributes=attributes, seed=seed),
            vectors=vectors,
            config=self.config.loss,
            template=planner.sentences.template(),
        )

    def train(self, split: Split, *, seed: int, folder: Path) -> tuple[Task, float]:
        """Train on a split (going on from a checkpoint in `folder`).

        Returns the task in evaluation mode, and the wall time of its training in seconds.
        """
        self.hold_to(folder.parent.parent)
        planner = self.planner(split)
        task = self.build_task(split, planner, seed=seed)
        trainer = Trainer(
            task=task,
            planner=planner,
            images=self.images,
            config=self.config,
            seed=seed,
            folder=folder,
            device=self.device,
            processes=self._processes,
        )
        trainer.fit()
        self.finish(task, split)
        return task, trainer.seconds

    def load(self, split: Split, *, seed: int, folder: Path, source: Path | None = None) -> tuple[Task, float]:
        """The task of a finished run from its checkpoint, in evaluation mode; nothing is trained.

        Args:
            split: what the run was trained on.
            seed: of the run.
            folder: of the run.
            source: the recipe's file, for the message.

        Returns the task, and the wall time of its training in seconds. Raises CheckpointError when there is no
        checkpoint, or one of another recipe or seed; ProtocolError when one's own folder has changed since.
        """
        self.hold_to(folder.parent.parent)
        file = folder / "checkpoint.pt"
        state = load_checkpoint(file, self.config, seed=seed, device=self.device)
        if state is None:
            raise CheckpointError(
                f"{file} is missing, although {folder / 'record.json'} says that this run is finished; put it back, or "
                f"remove the record and train again: duet train {source or 'RECIPE'} --out {folder.parent.parent}"
            )
        task = self.build_task(split, self.planner(split), seed=seed)
        placed(task, self.device)
        task.model.load_state_dict(judged_weights(state))
        self.finish(task, split)
        return task, float(state["seconds"])

    def finish(self, task: Task, split: Split) -> None:
        """Put a trained task into evaluation mode, and fit prototypes to the split's training photos where the recipe
        asks for them: to these photos as the service will see them, without augmentation.
        """
        task.eval()
        settings = self.config.prototypes
        if settings.fit:
            prototypes = fit_prototypes(
                self._outputs(task, split.train, task.model.features),
                self.benchmark.labels[split.train],
                self.benchmark.class_vectors,
                ridge=settings.ridge,
                shrinkage=settings.shrinkage,
            )
            task.model.readout = readout(prototypes).to(self.device)
            task.metric = Metric(prototypes.metric.astype(np.float32))

    @torch.no_grad()
    def predict(self, task: Task, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """v (n, A) of photo rows (n,) as the service would see them; the task's mode is restored.

        Several processes share the photos, and each gets v of all: all have to ask.
        """
        return self._outputs(task, rows, lambda hidden: task.predict(hidden)[0])

    @torch.no_grad()
    def states(self, task: Task, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Image states (n, D) of photo rows (n,), from which they are grounded; the task's mode is restored."""
        return self._outputs(task, rows, lambda hidden: task.predict(hidden)[1])

    @torch.no_grad()
    def _outputs(self, task: Task, rows: NDArray[np.int64], of: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        was_training = task.training
        task.eval()
        chunks = torch.split(torch.from_numpy(rows), _EVAL_BATCH)
        rank, world = self._processes.rank, self._processes.world
        held = [chunks[len(chunks) * part // world : len(chunks) * (part + 1) // world] for part in range(world)]
        sizes = [sum(map(len, part)) for part in held]
        parts: list[Tensor] = [  # one without a chunk of its own computes the first, for the width of nothing
            of(self.images.eval_batch(chunk)).float() for chunk in held[rank] or chunks[:1]
        ]
        task.train(was_training)
        return self._processes.gather(torch.cat(parts)[: sizes[rank]], sizes).cpu().numpy()

    @cached_property
    def template_builder(self) -> SentenceBuilder:
        """Builds the templates of Eqs. 12 and 26, which the limit of the training sentences does not bind."""
        return SentenceBuilder(
            schema=self.benchmark.schema,
            tokenizer=self.tokenizer,
            max_tokens=_LONGEST_TEMPLATE,
            content=self.config.sampling.sentence,
        )

    def sampling_correction(self, split: Split) -> Tensor:
        """(A,) what undoes the masking's preference for rare attributes, from the classes trained on."""
        present = torch.from_numpy(self.benchmark.classes.present[split.seen_classes])
        degree = torch.from_numpy(self.benchmark.classes.degree[split.seen_classes])
        targets = TargetSampler(present=present, weighting=self.config.sampling.lwrs)
        return sampling_correction(present, degree, targets.probabilities)

    def judged(self, task: Task, split: Split) -> Judged:
        """The arguments of every judgement in `duet_core.evaluation`, for a split's evaluation photos.

        With prototypes v and z are given in coordinates whose products are the scores v·z and whose cosines are those
        in the metric of the prototypes.
        """
        labels, metric = self.benchmark.labels, task.metric
        return Judged(
            v_seen=metric.photo_coordinates(self.predict(task, split.seen_eval)),
            label_seen=labels[split.seen_eval],
            v_unseen=metric.photo_coordinates(self.predict(task, split.unseen_eval)),
            label_unseen=labels[split.unseen_eval],
            class_vectors=metric.class_coordinates(metric.unit(self.benchmark.class_vectors)),
            seen_classes=split.seen_classes,
            unseen_classes=split.unseen_classes,
            score_space=self.config.loss.gamma_on,
        )
