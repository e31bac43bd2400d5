"""The Dockerfiles: stages, pins, user, and what is sent to the builder."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.deploy.deploy_files import DEPLOY, ROOT

DOCKERFILES = (ROOT / "Dockerfile", *sorted(DEPLOY.glob("*/Dockerfile")))
STAGE = re.compile(r"^FROM (?P<base>\S+)(?: AS (?P<name>\S+))?$", re.MULTILINE)


def stages(text: str) -> dict[str, tuple[str, str]]:
    """Stage name ("" for an unnamed last one) -> what it starts from, its instructions."""
    marks = list(STAGE.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return {mark["name"] or "": (mark["base"], text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)}


STAGES = stages((ROOT / "Dockerfile").read_text())


def test_the_targets_and_the_default() -> None:
    assert {"cpu", "gpu", "train"} <= STAGES.keys()
    assert STAGES[""][0] == "cpu"
    assert list(STAGES)[-1] == ""


def test_the_classic_builder_makes_nothing_heavy_on_the_way_to_the_default_target() -> None:
    """It makes every stage above the target: those before `cpu` must not install torch or CUDA."""
    before = list(STAGES)[: list(STAGES).index("cpu") + 1]
    named = {name for stage in before for name in re.findall(r"--requirement (\S+)", STAGES[stage][1])}
    assert named == {"requirements/serve.txt", "requirements/client.txt"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_root_no_address_no_new_syntax(path: str) -> None:
    text = (ROOT / path).read_text()
    last = [lines for name, (_, lines) in stages(text).items() if name not in ("", "base")][-1:] or [
        next(iter(stages(text).values()))[1]
    ]
    assert re.findall(r"^USER (\S+)$", last[0], re.MULTILINE)[-1] == "10001:10001"
    assert "://" not in re.sub(r"sqlite:////\S+", "", text)
    assert not re.search(r"--mount|--link|--chmod|<<", text)  # what the classic builder does not know
    assert not re.search(r"\bcurl\b|\bwget\b|build-essential|\bgcc\b", text)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_service_s_images(target: str) -> None:
    base, lines = STAGES[target]
    assert base == "base"
    assert "HEALTHCHECK" in lines
    assert "deploy/ready.py" in lines
    assert "pip" not in lines
    assert re.findall(r"COPY --from=(\S+)", lines) == [f"{target}-packages"]
    assert f"requirements/{'serve' if target == 'cpu' else 'gpu'}.txt" in STAGES[f"{target}-packages"][1]
    assert "org.opencontainers.image.title" in STAGES["base"][1]


def test_only_pinned_packages_are_installed() -> None:
    joined = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install ((?:(?!&&).)+)", joined)
    assert len(installs) >= 6
    pinned = ("--requirement requirements/", "--no-index /wheels/", "'^setuptools==' requirements/")
    assert [line for line in installs if not any(source in line for source in pinned)] == []


def test_what_is_copied_is_sent_to_the_builder() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        copied |= set(shlex.split(line)[:-1])
    assert copied == set(allowed)
    assert [name for name in allowed if not (ROOT / name).exists()] == []
