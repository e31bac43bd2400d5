"""README's third way in: installed into an environment of its own, not editable, the service runs a named bundle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages.blocks import ROOT, blocks, page_text
from tests.pages.reader import environment, script
from tests.redis_process import free_port

pytestmark = pytest.mark.slow

ASK = "curl -sf localhost:8000/readyz && curl -sf localhost:8000/ -o page.html"
NOT_NAMED = "cd .. && ! repository/duet-env/bin/duet serve"


def checkout(folder: Path) -> Path:
    """The files of the repository, as they are, without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in (name for name in listed.split("\0") if name and (ROOT / name).is_file()):
        copy = folder / "repository" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    return folder / "repository"


def test_the_installed_service_starts_on_a_named_bundle(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks(page_text("README.md")) if block.reason == "installs packages"]
    typed = shown.script.replace("python3", sys.executable, 1)
    typed = typed.replace("duet serve --bundle models/birds", "duet serve --bundle models/birds &")
    assert typed.count("&") == 1
    written = "\n".join([script(blocks(f"```sh\n{typed}\n{ASK}\n{NOT_NAMED}\n```\n"), free_port())])
    clean = {name: value for name, value in environment(tmp_path).items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        ["bash", "-c", written],
        cwd=checkout(tmp_path),
        env=clean | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=580,
        check=False,
    )
    printed, told = ((next(tmp_path.glob(f"[0-9]*.{kind}"))).read_text() for kind in ("out", "err"))
    assert done.returncode == 0, f"{printed}\n{told}\n{done.stderr.decode()}"
    assert '"status":"ready"' in printed
    assert "Name it with --bundle or DUET_BUNDLE" in told
    packages = next((tmp_path / "repository" / "duet-env" / "lib").glob("python*/site-packages"))
    files = [path.relative_to(ROOT) for path in (ROOT / "app" / "web" / "static").rglob("*") if path.is_file()]
    assert files
    assert [str(file) for file in files if not (packages / file).is_file()] == [], "the package lacks these"
    assert not (packages / "torch").exists()
    assert os.access(tmp_path / "repository" / "duet-env" / "bin" / "duet", os.X_OK)
