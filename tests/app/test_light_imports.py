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


def test_with_sqlite_the_client_of_redis_is_not_loaded() -> None:
    """It takes a fifth of the time in which the service starts."""
    code = (
        "import sys, app.main; from app.registry.opening import open_store; from app.settings import Settings; "
        "settings = Settings(store='sqlite:///never-written.sqlite'); app.main.create_app(settings); "
        "open_store(settings); print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
