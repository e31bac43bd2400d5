"""The losses of a step, put together again from their parts (Eqs. 13, 14, 21)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from duet_core.experiment import Experiment
from duet_core.step_plan import StepPlan, StepPlanner
from duet_core.task import DuetTask, VisionOnlyTask
from tests.duet_core.tiny_world import TinyWorld

WEIGHTS = {
    "loss__lambda_ar": 0.3,
    "loss__lambda_sc": 0.2,
    "loss__lambda_con": 0.7,
    "loss__lambda_cmr": 1.5,
    "loss__lambda_acl": 0.9,
    "loss__tau": 0.1,
}


class Step:
    """One step of a tiny model in evaluation mode."""

    def __init__(self, world: TinyWorld, stage: str, **changes: Any) -> None:
        self.experiment: Experiment = world.experiment(**WEIGHTS, **changes)
        split = self.experiment.split("test")
        self.planner: StepPlanner = self.experiment.planner(split)
        task = self.experiment.build_task(split, self.planner, seed=0)
        self.task = task.eval()
        self.vectors = self.experiment.class_vectors(split)
        self.plan = self.draw(stage, 0)
        self.hidden = self.experiment.images.train_batch(self.plan.photos, torch.Generator().manual_seed(1))

    def draw(self, stage: str, seed: int) -> StepPlan:
        """A step of six anchors of three classes, two of them with partners in stage CSG unless none are asked for."""
        positions, generator = torch.tensor([0, 1, 8, 9, 16, 17]), torch.Generator().manual_seed(seed)
        plan = self.planner.plan(positions, stage, generator)  # type: ignore[arg-type]
        wanted = 0 if self.experiment.config.sampling.acl_anchors == 0 else 2
        few = plan.grounding is not None and len(plan.grounding.acl_anchor) < wanted
        return self.draw(stage, seed + 1) if few else plan

    @property
    def duet(self) -> DuetTask:
        assert isinstance(self.task, DuetTask)
        return self.task

    def losses(self) -> dict[str, Tensor]:
        with torch.no_grad():
            found: dict[str, Tensor] = self.task(self.plan, self.hidden)
        return found

    def v_beside(self, text: str | None, row: int) -> Tensor:
        """v (A,) of photo `row` of the plan beside a sentence, the template of Eq. 12 when None."""
        with torch.no_grad():
            model, images = self.duet.model, self.duet.model.image_states(self.hidden[row : row + 1])
            words = self.experiment.benchmark.schema.template() if text is None else text
            ids = torch.tensor([self.experiment.tokenizer(words)["input_ids"]])
            mask = torch.ones_like(ids, dtype=torch.bool)
            return model.ground(images, model.text_states(ids, mask), mask).v[0]

    def zsl(self, v: Tensor) -> dict[str, float]:
        """L_cc, L_ar and L_sc of v (B, A) by explicit loops."""
        label, seen, every = self.plan.label.tolist(), self.vectors.seen, self.vectors.every
        shift = torch.tensor([-1.0] * len(seen) + [1.0] * (len(every) - len(seen)))
        cc, ar, sc = 0.0, 0.0, 0.0
        for row, own in zip(v, label, strict=False):
            cc -= float((row @ seen.T).log_softmax(0)[own]) / len(v)
            ar += float(((row - seen[own]) ** 2).sum()) / len(v)
            sc -= float((row @ every.T + shift).log_softmax(0)[len(seen) :].sum()) / len(v)
        return {"cc": cc, "ar": ar, "sc": sc}


def cosine(a: Tensor, b: Tensor) -> float:
    return float(F.cosine_similarity(a, b, dim=0))


def test_stage_cls_is_eq_13(tiny_world: TinyWorld) -> None:
    step = Step(tiny_world, "CLS")
    losses, plan = step.losses(), step.plan
    assert plan.positive is not None
    v = torch.stack([step.v_beside(None, row) for row in range(len(plan.photos))])
    expected = step.zsl(v[: plan.anchors])
    with torch.no_grad():
        h = step.duet.model.class_contrast_head(v)
    con = 0.0
    for row in range(plan.anchors):
        near = torch.tensor(cosine(h[row], h[int(plan.positive[row])]) / 0.1).exp()
        far = sum(
            torch.tensor(cosine(h[row], h[other]) / 0.1).exp()
            for other in range(len(h))
            if plan.label[other] != plan.label[row]
        )
        con -= float((near / (near + far)).log()) / plan.anchors
    expected["con"] = con
    total = expected["cc"] + 0.3 * expected["ar"] + 0.2 * expected["sc"] + 0.7 * con
    assert set(losses) == {*expected, "loss"}
    for name, value in (expected | {"loss": total}).items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize(
    "changes",
    [
        {"loss__csg_v": "sentence"},
        {"loss__csg_v": "template"},
        {"loss__csg_v": "sentence", "sampling__csg_anchors": 4, "sampling__acl_anchors": 3},
    ],
)
def test_stage_csg_is_eqs_14_and_21(tiny_world: TinyWorld, changes: dict[str, Any]) -> None:
    step = Step(tiny_world, "CSG", **changes | {"optimizer__batch_size": 6})
    losses, plan, model = step.losses(), step.plan, step.duet.model
    grounding = plan.grounding
    assert grounding is not None
    batch, masked = grounding.sentences, len(grounding.degree)
    v_of_sentence, states = [], []
    for row in range(len(batch)):  # each sentence alone, without padding
        length = int(batch.attention_mask[row].sum())
        with torch.no_grad():
            image = model.image_states(step.hidden)[grounding.image[row : row + 1]]
            mask = torch.ones(1, length, dtype=torch.bool)
            pair = model.ground(image, model.text_states(batch.input_ids[row : row + 1, :length], mask), mask)
        v_of_sentence.append(pair.v[0])
        states.append(pair.text[0])
    beside_template = [step.v_beside(None, row) for row in range(plan.anchors)]
    own = [] if changes["loss__csg_v"] == "template" else v_of_sentence[:masked]
    expected = step.zsl(torch.stack([*own, *beside_template[len(own) :]]))
    cmr = 0.0
    words = model.language.token_embeddings
    for row in range(masked):
        surprise = 0.0
        for place in (batch.labels[row] >= 0).nonzero().flatten().tolist():
            with torch.no_grad():
                scores = words @ model.mask_head.transform(states[row][place]) + model.mask_head.bias
            surprise -= float(scores.log_softmax(0)[batch.labels[row, place]])
        cmr += float(grounding.degree[row]) * surprise / masked
    expected["cmr"] = cmr
    hits = [state[batch.target_mask[row, : len(state)]].mean(dim=0) for row, state in enumerate(states)]
    with torch.no_grad():
        h = model.attribute_contrast_head(torch.stack(hits))
    acl = 0.0
    for anchor, partners, weight in zip(
        grounding.acl_anchor.tolist(), grounding.acl_partner.tolist(), grounding.acl_weight.tolist(), strict=True
    ):
        e = [torch.tensor(cosine(h[anchor], h[row]) / 0.1).exp() for row in partners]
        acl -= weight * float((e[0] / torch.stack(e).sum()).log()) / len(grounding.acl_anchor)
    expected["acl"] = acl
    assert len(grounding.acl_anchor) >= 2
    total = expected["cc"] + 0.3 * expected["ar"] + 0.2 * expected["sc"] + 1.5 * cmr + 0.9 * acl
    assert set(losses) == {*expected, "loss"}
    for name, value in (expected | {"loss": total}).items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-4, abs=1e-6), name


def test_csg_v_chooses_the_sentence_beside_the_image(tiny_world: TinyWorld) -> None:
    sentence = Step(tiny_world, "CSG", loss__csg_v="sentence").losses()
    template = Step(tiny_world, "CSG", loss__csg_v="template").losses()
    # The tiny model differs by about 2e-4 here; the same sentence on both sides would agree to float32 rounding, 1e-7.
    assert float(sentence["cc"]) != pytest.approx(float(template["cc"]), rel=1e-5)
    for name in ("cmr", "acl"):
        torch.testing.assert_close(sentence[name], template[name])


def test_predict_is_v_beside_the_template(tiny_world: TinyWorld) -> None:
    step = Step(tiny_world, "CLS")
    with torch.no_grad():
        v, state = step.duet.predict(step.hidden)
        torch.testing.assert_close(state, step.duet.model.image_states(step.hidden).token)
    expected = torch.stack([step.v_beside(None, row) for row in range(len(v))])
    torch.testing.assert_close(v, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("off", ["lambda_sc", "lambda_con"])
def test_a_weight_of_0_leaves_the_loss_out(tiny_world: TinyWorld, off: str) -> None:
    config = {name: value for name, value in WEIGHTS.items() if name != f"loss__{off}"}
    experiment = tiny_world.experiment(**config, **{f"loss__{off}": 0.0})
    split = experiment.split("test")
    made = experiment.planner(split)
    task = experiment.build_task(split, made, seed=0).eval()
    plan = made.plan(torch.arange(4), "CLS", torch.Generator().manual_seed(0))
    losses = task(plan, experiment.images.train_batch(plan.photos, torch.Generator()))
    assert off.removeprefix("lambda_") not in losses
    assert len(plan.photos) == (4 if off == "lambda_con" else 8)


def test_acl_without_partners_is_left_out_and_gradients_stay_finite(tiny_world: TinyWorld) -> None:
    step = Step(tiny_world, "CSG", sampling__acl_anchors=0)
    step.task.train()
    losses = step.task(step.plan, step.hidden)
    losses["loss"].backward()
    assert "acl" not in losses
    gradients = [p.grad for p in step.task.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(g.isfinite().all()) for g in gradients)


def test_vision_only_is_l_zsl_of_the_encoder_alone(tiny_world: TinyWorld) -> None:
    step = Step(tiny_world, "CLS", variant="vision_only")
    assert isinstance(step.task, VisionOnlyTask)
    assert len(step.plan.photos) == step.plan.anchors  # no positive is drawn
    with torch.no_grad():
        v = step.task.model.attribute_head(step.task.model.vision.tail(step.hidden))
    expected, losses = step.zsl(v), step.losses()
    expected["loss"] = expected["cc"] + 0.3 * expected["ar"] + 0.2 * expected["sc"]
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-4), name
    assert not any("language" in name for name, _ in step.task.named_parameters())


def test_losses_are_computed_in_float32_under_autocast(tiny_world: TinyWorld) -> None:
    for stage in ("CLS", "CSG"):
        step = Step(tiny_world, stage)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = step.losses()
        assert {value.dtype for value in losses.values()} == {torch.float32}
