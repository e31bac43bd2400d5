"""One thread: these tests are too small to gain from more, and must leave the machine to others."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
