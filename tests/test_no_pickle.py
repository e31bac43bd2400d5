"""Nothing that is read from a file or a socket can run code: no pickle, and no loader that would fall back to it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_repository import ROOT, python_files, tree

FOLDERS = ("app", "benchmarks", "deploy", "duet_client", "duet_core", "training")
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
NAMES = {"eval", "exec", "compile", "__import__"}
"""Built-in functions that turn text into code."""
METHODS = {"read_pickle", "to_pickle", "unsafe_load", "full_load"}


def is_constant(call: ast.Call, argument: str, value: object) -> bool:
    """Whether `argument=value` is written out in a call."""
    return any(
        keyword.arg == argument and isinstance(keyword.value, ast.Constant) and keyword.value.value is value
        for keyword in call.keywords
    )


def _safe_yaml(call: ast.Call) -> bool:
    loaders = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "Loader")]
    return len(loaders) == 1 and "Safe" in ast.unparse(loaders[0])


LOADERS: dict[str, tuple[Callable[[ast.Call], bool], str]] = {
    "np.load": (lambda call: is_constant(call, "allow_pickle", False), "write allow_pickle=False"),
    "numpy.load": (lambda call: is_constant(call, "allow_pickle", False), "write allow_pickle=False"),
    "torch.load": (lambda call: is_constant(call, "weights_only", True), "write weights_only=True"),
    "yaml.load": (_safe_yaml, "use a safe loader"),
    "AutoModel.from_pretrained": (lambda call: is_constant(call, "use_safetensors", True), "use_safetensors=True"),
}
"""Function -> whether a call of it is safe, and what makes it so."""


def offences(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and what is wrong there."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node.lineno, f"imports {name}") for name in names if name.split(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in NAMES or called.rpartition(".")[2] in METHODS:
            yield node.lineno, f"calls {called}"
        if called in LOADERS and not LOADERS[called][0](node):
            yield node.lineno, f"{called}: {LOADERS[called][1]}"
        if any(word.arg == "trust_remote_code" for word in node.keywords) or is_constant(node, "allow_pickle", True):
            yield node.lineno, f"{called} runs code from elsewhere"


def test_no_program_of_ours_unpickles() -> None:
    files = python_files(*FOLDERS)
    assert len(files) > 200
    found = [f"{path.relative_to(ROOT)}:{line}: {what}" for path in files for line, what in offences(tree(path))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "import x, shelve",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "np.load(file, allow_pickle=chosen)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "AutoModel.from_pretrained(name)",
        "AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=True)",
        "eval(text)",
        "pandas.read_pickle(file)",
    ],
)
def test_the_rule_sees(code: str) -> None:
    assert list(offences(ast.parse(code))) != []


@pytest.mark.parametrize(
    "code",
    [
        "np.load(file, mmap_mode='r', allow_pickle=False)",
        "torch.load(file, weights_only=True)",
        "yaml.load(text, yaml.SafeLoader)",
        "model.eval()",
        "client.eval(script)",
        "re.compile(text)",
    ],
)
def test_the_rule_lets_pass(code: str) -> None:
    assert list(offences(ast.parse(code))) == []


def test_models_and_data_in_the_repository_hold_no_pickle() -> None:
    """By the files themselves: torch's and joblib's formats have endings of their own."""
    endings = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".bin", ".npy"}
    tracked = [path for folder in ("models", "tests", "training") for path in Path(ROOT / folder).rglob("*")]
    assert [str(path.relative_to(ROOT)) for path in tracked if path.suffix in endings] == []
