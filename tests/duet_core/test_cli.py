"""`duet` at the command line: answers on stdout, mistakes on stderr with exit code 2, nothing heavy imported."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from duet_core.cli import COMMANDS, command_parser, main
from tests.tiny_bundle import picture, write_tiny_bundle


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the bundle in its default place and two photos."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DUET_BUNDLE", raising=False)
    write_tiny_bundle(tmp_path / "models" / "birds")
    picture("red").save("red.png")
    picture("blue").save("blue.png")
    return tmp_path


@pytest.mark.usefixtures("workplace")
def test_predict_names_each_photo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "red.png", "blue.png", "--top-k", "2"]) == 0
    first, second = capsys.readouterr().out.split("blue.png")
    assert first.startswith("red.png\n  The photo's attributes fit Red Bird")
    assert "1. Red Bird          " in first
    assert "99.7%" in first
    assert "None of these" in second
    assert " 3. " not in first + second


@pytest.mark.usefixtures("workplace")
def test_predict_prints_one_json_object_a_photo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "red.png", "blue.png", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["photo"] for answer in answers] == ["red.png", "blue.png"]
    assert answers[0]["predictions"][0]["class_id"] == "red-bird"
    assert answers[0]["decision"]["accepted"] is True
    assert answers[0]["model"] == {"id": "tiny", "gamma": 0.1, "temperature": 0.1}


@pytest.mark.usefixtures("workplace")
def test_explain_shows_grounding_contributions_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "red.png", "--class-id", "green-bird", "--picture", "out.png"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("red.png: Green Bird (seen, probability")
    assert "wing color    red 96%" in out
    assert "contributions to the score 0.105" in out
    with Image.open("out.png") as drawn:
        assert drawn.width > 800
        assert drawn.getpixel((60, 60)) == (255, 0, 0)


def test_the_bundle_may_lie_elsewhere(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "models").rename(workplace / "elsewhere")
    assert main(["predict", "red.png", "--bundle", "elsewhere/birds"]) == 0
    monkeypatch.setenv("DUET_BUNDLE", "elsewhere/birds")
    assert main(["predict", "red.png"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "none.png"], "none.png: no such file"),
        (["predict", "models"], "models: no such file"),
        (["predict", "models/birds/manifest.json"], "not a JPEG, PNG or WebP image"),
        (["predict", "red.png", "--bundle", "nowhere"], "a bundle is a folder with manifest.json"),
        (["predict", "red.png", "--top-k", "0"], "top_k 0; at least 1"),
        (["predict", "red.png", "--candidates", "unseen"], "no unseen class"),
        (["predict", "red.png", "--candidates", "some"], "candidates"),
        (["predict"], "photos"),
        (["explain", "red.png", "--class-id", "dodo"], "no class 'dodo' in the bundle; there are 4, for example"),
        (["fly"], "no command 'fly'"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert main([]) == 2


def test_a_commands_help_comes_from_its_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Name the class of each photo" in out
    assert "how many classes to show for each photo" in out


def test_what_holds_unless_said_otherwise_can_be_denied() -> None:
    def run(*, look_twice: bool = True) -> None:
        """Do it.

        Args:
            look_twice: look again.
        """

    parser = command_parser("train", run)
    assert parser.parse_args([]).look_twice is True
    assert parser.parse_args(["--no-look-twice"]).look_twice is False
    assert "--no-look-twice do not look again." in " ".join(parser.format_help().split())


def test_arguments_follow_the_signature() -> None:
    def run(config: Path, *, seeds: int = 3, dry_run: bool = False) -> None:
        """Do it.

        Args:
            config: a recipe,
                in YAML, 100% of it.
            seeds: how many.
        """

    options = command_parser("train", run).parse_args(["a.yaml", "--seeds", "5", "--dry-run"])
    assert (str(options.config), options.seeds, options.dry_run) == ("a.yaml", 5, True)
    assert "a recipe, in YAML, 100% of it." in " ".join(command_parser("train", run).format_help().split())


@pytest.mark.parametrize("name", ["train", "evaluate", "calibrate", "export"])
def test_every_set_counts(name: str) -> None:
    run = importlib.import_module(f"duet_core.commands.{name}").run
    options = command_parser(name, run).parse_args(["a.yaml", "--set", "a=1 b=2", "--set", "c=3"])
    assert options.set == ["a=1 b=2", "c=3"]
    assert command_parser(name, run).parse_args(["a.yaml"]).set == []  # nothing is left from the call before


BASE_INSTALL = """
import sys
from duet_core.cli import COMMANDS, TRAINING_PACKAGES, main
for name in (*TRAINING_PACKAGES, "httpx", "tqdm", "transformers"):
    sys.modules[name] = None  # importing it then fails as if it were not installed
codes = {name: main([*name.split(), "--help"]) for name in COMMANDS}
for split in ("test", "validation"):
    codes[f"results of {split}"] = main(["results", "training/records", "--split", split])
print([name for name, code in codes.items() if code != 0])
"""


def test_help_and_results_need_the_base_install_only() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", BASE_INSTALL], capture_output=True, text=True, check=False, cwd=root, timeout=120
    )
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["[]"], "")
    assert "<class '" not in done.stdout
    assert "how many classes to show for each photo. (a whole number; default: 5)" in " ".join(done.stdout.split())


def test_a_reader_that_goes_away_is_no_mistake() -> None:
    command = [sys.executable, "-m", "duet_core.cli", "study", "report", "training/studies/table3.yaml"]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything is printed
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 0


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"duet {project['version']}\n"


def command(error: Exception | None) -> ModuleType:
    module = ModuleType("command")

    def run() -> Iterator[str]:
        """Do it."""
        yield "first"
        if error is not None:
            raise error

    module.run = run  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module", name="torch.nn"), 'make venv-test, or pip install -e ".[train]"'),
        (
            ModuleNotFoundError("No module", name="onnxruntime"),
            "make venv-serve, or pip install -r requirements/serve.txt",
        ),
        (ModuleNotFoundError("No module", name="httpx"), 'pip install -e ".[client]"'),
        (ValueError("rho: got 2; 0…1"), "duet train: rho: got 2; 0…1"),
    ],
)
def test_missing_packages_and_bad_values_are_explained(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "duet_core.commands.train", command(error))
    assert main(["train"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "first\n"  # what was finished before the mistake is not lost
    assert message in captured.err
    monkeypatch.setenv("DUET_DEBUG", "1")
    with pytest.raises(type(error)):
        main(["train"])


@pytest.mark.usefixtures("workplace")
def test_predict_loads_no_training_library() -> None:
    program = (
        "import sys; from duet_core.cli import main; code = main(['predict', 'red.png']);"
        "print(code, [m for m in ('torch', 'timm', 'transformers', 'scipy', 'fastapi', 'uvicorn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path.cwd(),
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert done.stdout.splitlines()[-1] == "0 []"
