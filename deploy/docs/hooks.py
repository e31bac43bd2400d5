"""What mkdocs does besides rendering docs/: pages from elsewhere in the repository, and references made from the code.

A page of docs/ links to files of the repository as it is read there, `../CHANGELOG.md`. On the site such a file is a
page too, and the link is turned to it; a link to a file that the site does not have is left, and fails the build.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # mkdocs loads this file by its path
    sys.path.insert(0, str(ROOT))

from deploy.docs import code_reference, http_reference  # noqa: E402

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "training/README.md": "training.md",
    "models/birds/README.md": "model-card.md",
}
"""File of the repository -> page of the site."""
LINK = re.compile(r"(?<=\]\()(?P<target>[^()\s#:]+)(?=[#)])")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    document = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
    made = {f"reference/{name}.md": code_reference.python_page(*parts) for name, parts in code_reference.PYTHON.items()}
    made["reference/http.md"] = http_reference.page(document, "../openapi.json", "../clients.md")
    made["reference/commands.md"] = code_reference.commands_page()
    made["reference/settings.md"] = code_reference.settings_page()
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn the links of a page to where the site has what they name."""
    at = page.file.src_uri
    read_as = next((source for source, name in ELSEWHERE.items() if name == at), f"docs/{at}")
    return turned(markdown, read_as, at)


def turned(markdown: str, read_as: str, at: str) -> str:
    """The text of the file `read_as` of the repository with its links as they must be in the page `at` of the site.

    >>> turned("[all](docs/clients.md#keys)", "README.md", "index.md")
    '[all](clients.md#keys)'
    """

    def turn(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(read_as), match["target"]))
        name = ELSEWHERE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        return posixpath.relpath(name, posixpath.dirname(at) or ".") if name else match["target"]

    return LINK.sub(turn, markdown)
