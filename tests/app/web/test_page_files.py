"""The files of the page: their headers, how long they are kept, how large they are, where the words are."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from app.web.assets import STATIC, fingerprint

MOST_SCRIPT = 100_000
"""Bytes of script in all, uncompressed."""
MOST_LINES = 400


def scripts() -> list[Path]:
    """Every script of the page."""
    return sorted((STATIC / "js").glob("*.js"))


def test_the_page_runs_our_own_files_only(client: httpx.Client) -> None:
    page = client.get("/").raise_for_status()
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob:"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.text)


def test_files_are_kept_under_a_name_that_changes_with_them(client: httpx.Client) -> None:
    page = client.get("/").raise_for_status()
    links = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text)
    assert {f"js/{path.name}" for path in scripts()} <= {link.split("/", 2)[2] for link in links}
    for link in set(links):
        assert link.startswith(f"assets/{fingerprint()}/"), link
        answer = client.get(f"/{link}").raise_for_status()
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    plain = client.get("/assets/js/main.js").raise_for_status()
    assert plain.headers["cache-control"] == "no-cache"
    assert client.get("/assets/js/main.js", headers={"If-None-Match": plain.headers["etag"]}).status_code == 304


def test_the_page_itself_is_asked_for_again_each_time(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_fingerprint_changes_with_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "static"
    shutil.copytree(STATIC, copy)
    monkeypatch.setattr("app.web.assets.STATIC", copy)
    assert fingerprint.__wrapped__() == fingerprint()
    for name in ("js/words.js", "css/base.css", "index.html"):
        before = fingerprint.__wrapped__()
        (copy / name).write_text((copy / name).read_text() + " ")
        assert fingerprint.__wrapped__() != before, name


def test_scripts_are_small_and_ask_nobody_else() -> None:
    sizes = {path.name: path.stat().st_size for path in scripts()}
    assert len(sizes) > 10
    assert sum(sizes.values()) < MOST_SCRIPT, sizes
    for path in (*scripts(), *(STATIC / "css").glob("*.css")):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_LINES, path.name
        assert not re.search(r"https?:|//cdn|@import|url\(|localStorage|innerHTML|document\.cookie", text), path.name


class Texts(HTMLParser):
    """What a reader would read in a page, outside <title> and <noscript>."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()
        self.found: list[str] = []
        self._skip = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect data-say."""
        self._skip = tag in ("title", "noscript") or (self._skip and tag == "a")
        self.said.update(value for name, value in attrs if name.startswith("data-say") and value)

    def handle_endtag(self, tag: str) -> None:
        """End of what is left out."""
        self._skip = self._skip and tag not in ("title", "noscript")

    def handle_data(self, data: str) -> None:
        """Collect text."""
        if not self._skip and data.strip():
            self.found.append(data.strip())


def test_all_words_are_in_one_file() -> None:
    words = (STATIC / "js/words.js").read_text(encoding="utf-8")
    page = Texts()
    page.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    left = [text for text in page.found if text not in ("DUET", "{preload}")]
    assert left == []
    used = page.said
    for path in scripts():
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'data-say(?:-\w+)?": "(\w+)"', text)) | set(re.findall(r"(?<!/)\bwords\.(\w+)", text))
    known = set(re.findall(r"^  (\w+):", words, re.MULTILINE))
    assert used - known == set()
    kinds = {name for name in known if name.startswith("kind")}  # named in classes.js by what they show
    assert known - used - kinds == set(), "words that nothing says"


def test_problems_the_page_explains_are_problems_of_the_service() -> None:
    from app.problems import KINDS

    words = (STATIC / "js/words.js").read_text(encoding="utf-8")
    explained = set(re.findall(r'^    "?([a-z-]+)"?: \{', words[words.index("problems: {") :], re.MULTILINE))
    assert len(explained) > 15
    assert explained - {"offline"} <= set(KINDS)
