"""The service runs without the training side."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_service_loads_no_training_library() -> None:
    code = (
        "import sys, app.main, duet_core.runtime; app.main.create_app(); "
        "print([m for m in ('torch', 'timm', 'transformers', 'scipy', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
