"""The moving average of a model's weights over the steps of a run, which is judged in place of the last weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average of what training moves: trainable parameters, and the floating buffers of batch norms.

    After update n (from 0) the average is d·average + (1 − d)·weights with d = min(decay, (1 + n) / (10 + n)), so that
    the first steps, far from where a run ends, are forgotten soon (Polyak averaging as image models use it).

    Args:
        model: whose weights are averaged; the average begins with them.
        decay: d in the long run, above 0 and below 1; 1 / (1 − decay) is about the number of updates it looks back on.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._updates = 0
        self._average = {name: value.detach().clone() for name, value in self._moving().items()}

    def _moving(self) -> dict[str, Tensor]:
        """Name in the state dict -> tensor, of everything that is averaged."""
        parameters = {name: value for name, value in self._model.named_parameters() if value.requires_grad}
        kept = self._model.state_dict().keys()
        buffers = {
            name: value for name, value in self._model.named_buffers() if value.is_floating_point() and name in kept
        }
        return parameters | buffers

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after an update of the optimiser."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        moving = self._moving()
        torch._foreach_lerp_(list(self._average.values()), [moving[name] for name in self._average], 1 - decay)
        self._updates += 1

    def state(self) -> dict[str, object]:
        """For a checkpoint: the number of updates and, by name in the state dict, the averages."""
        return {"updates": self._updates, "weights": self._average}

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint's state."""
        assert isinstance(state["updates"], int)
        assert isinstance(state["weights"], dict)
        self._updates = state["updates"]
        for name, value in state["weights"].items():
            self._average[name].copy_(value)

    def give(self) -> None:
        """Put the averages in the place of the model's weights."""
        self._model.load_state_dict(self._average, strict=False)


def judged_weights(state: dict[str, object]) -> dict[str, Tensor]:
    """The state dict a run is judged by, from its checkpoint: the average where one was kept, else the last weights."""
    weights, average = state["model"], state.get("average")
    assert isinstance(weights, dict)
    return weights | average["weights"] if isinstance(average, dict) else weights
