"""Which pages there are, what runs the blocks of each, and the reasons for which a block may stay unrun."""

from __future__ import annotations

import subprocess
from functools import cache
from types import MappingProxyType

from tests.pages.blocks import ROOT

SERVICE, ALONE, OWN_TEST = "beside a service on the demo bundle", "in a shell alone", "by a test module of its own"

HOW = MappingProxyType(
    {
        "README.md": SERVICE,
        "docs/bulk.md": ALONE,
        "docs/clients.md": SERVICE,
        "docs/figures.md": ALONE,
        "docs/knowledge-graph.md": ALONE,
        "docs/own-folder.md": OWN_TEST,  # test_own_folder.py: its encoder is replaced before it is trained
        "docs/tutorials/developer.md": SERVICE,
        "docs/tutorials/expert.md": SERVICE,
        "docs/tutorials/operator.md": ALONE,
        "docs/tutorials/researcher.md": ALONE,
    }
)
"""Page -> what runs its ``sh`` and ``python`` blocks. Every page that has blocks to run is here."""

REASONS = MappingProxyType(
    {
        "needs Docker": "tests/deploy runs the stack where there is an engine; its files are tested everywhere",
        "needs a cluster": "manifests are tested against the schemas of Kubernetes, Ray on a cluster of one machine",
        "needs a GPU": "the pins are tested; a machine of CI has no CUDA device",
        "needs the photos of CUB and SUN": "they may not be handed on; the command is tested on folders made for it",
        "needs a bundle of your own": "tests/app/test_model_swap.py does the same over HTTP and by SIGHUP, under load",
        "a message, not a command": "the tests of what the page is about provoke it",
        "takes long": "training, or a benchmark whose output stands below it; both have quick tests",
        "installs packages": "test_install.py does the same in an environment of its own",
    }
)
"""Reason of a block that is not run -> why that is no gap. A block with another reason, or none, fails the tests."""


@cache
def pages() -> tuple[str, ...]:
    """Every Markdown page of the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file()))
