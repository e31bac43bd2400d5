"""The documentation's site: it builds without a warning, asks no other host for anything; its references are whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from deploy.docs.code_reference import PYTHON, commands_page, python_page, settings_page
from deploy.docs.hooks import turned
from deploy.docs.http_reference import page, type_of
from duet_core.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
OPENAPI = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//|url\(["']?https?:"""
)
CANONICAL = re.compile(r'<link rel="(?:canonical|prev|next)"[^>]*>')


def build(site: Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`make docs`, into `site`."""
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_every_page_and_asks_no_other_host(site: Path) -> None:
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert {"index.html", "changelog.html", "tutorials/developer.html", "reference/http.html"} <= pages
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    asking = {
        path.name: found
        for path in files
        if (found := FETCHED.findall(CANONICAL.sub("", path.read_text(encoding="utf-8"))))
    }
    assert asking == {}


@pytest.mark.slow
def test_the_python_references_are_filled_in(site: Path) -> None:
    for name, (_, _, sections) in PYTHON.items():
        html = (site / f"reference/{name}.html").read_text(encoding="utf-8")
        for dotted in (dotted for section in sections.values() for dotted in section):
            assert f'id="{dotted}"' in html, dotted


@pytest.mark.slow
def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    for entry in ROOT.iterdir():
        if entry.name not in ("docs", "build", ".git", ".venv"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "docs").mkdir()
    for entry in (ROOT / "docs").iterdir():
        (tmp_path / "docs" / entry.name).symlink_to(entry)
    figures = tmp_path / "docs" / "figures.md"
    text = figures.read_text(encoding="utf-8")
    figures.unlink()
    figures.write_text(f"{text}\n[a](clients.md#no-such-heading) [b](../app/main.py)\n", encoding="utf-8")
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode != 0
    assert "no-such-heading" in done.stderr
    assert "../app/main.py" in done.stderr


def test_the_http_reference_has_every_path_and_object() -> None:
    made = page(OPENAPI, "openapi.json", "clients.md")
    for path, methods in OPENAPI["paths"].items():
        if not path.startswith("/spaces/{space}/"):
            assert all(f"### {method.upper()} {path}\n" in made for method in methods), path
    assert all(f"### {name}\n" in made for name in OPENAPI["components"]["schemas"])
    mirrored = {path.removeprefix("/spaces/{space}") for path in OPENAPI["paths"] if "{space}/" in path}
    assert mirrored <= set(OPENAPI["paths"])


def test_types_are_written_as_people_read_them() -> None:
    assert type_of({"anyOf": [{"$ref": "#/components/schemas/Edits"}, {"type": "null"}]}) == "[Edits](#edits) or null"
    assert type_of({"type": "array", "items": {"type": "number"}}) == "list of number"
    assert type_of({"type": "integer", "minimum": 1, "maximum": 50}) == "integer 1…50"


def test_a_tag_without_a_section_is_an_error() -> None:
    document = {"paths": {"/x": {"get": {"tags": ["New"], "summary": "X"}}}}
    with pytest.raises(ValueError, match="'New'"):
        page(document, "", "")


def test_commands_settings_and_python_names_are_listed() -> None:
    assert all(f"| `duet {name}` |" in commands_page() for name in COMMANDS)
    assert all(f"`DUET_{name.upper()}`" in settings_page() for name in Settings.model_fields)
    assert python_page("T", "o", {"S": ["a.b"]}) == "# T\n\no\n\n## S\n\n::: a.b\n"


@pytest.mark.parametrize(
    ("written", "read_as", "at", "link"),
    [
        ("docs/clients.md#keys", "README.md", "index.md", "clients.md#keys"),
        ("../CHANGELOG.md", "docs/operations.md", "operations.md", "changelog.md"),
        ("../clients.md", "docs/tutorials/expert.md", "tutorials/expert.md", "../clients.md"),
        ("../docs/benchmarks.md", "training/README.md", "training.md", "benchmarks.md"),
        ("https://a.example/b.md", "README.md", "index.md", "https://a.example/b.md"),
        ("#keys", "docs/clients.md", "clients.md", "#keys"),
    ],
)
def test_links_are_turned_to_the_pages_of_the_site(written: str, read_as: str, at: str, link: str) -> None:
    assert turned(f"[x]({written})", read_as, at) == f"[x]({link})"
