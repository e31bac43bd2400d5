"""The command `duet`: finds a subcommand, reads its arguments from the signature of its function, reports errors."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from argparse import HelpFormatter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentParser

from duet_core import __version__
from duet_core.type_names import type_name

COMMANDS: dict[str, str] = {
    "predict": "name the class of photos",
    "explain": "show what the model saw in a photo, as text and as a picture",
    "serve": "run the HTTP service",
    "bulk": "name the class of all photos of a folder or a list, as one Parquet file",
    "classify": "name the class of photos, asking a running service",
    "classes list": "list the classes of a running service",
    "classes add": "describe a class to a running service",
    "classes delete": "delete a registered class of a running service",
    "classes import": "describe the classes of a JSON lines or CSV file to a running service",
    "classes export": "write the registered classes of a running service to a JSON lines or CSV file",
    "keys make": "make an API key for the service",
    "keys list": "list the API keys of a key file",
    "keys revoke": "take API keys out of a key file",
    "benchmark check": "check a benchmark's files and photos, and say what is missing",
    "benchmark demo": "draw photos of coloured shapes to try the other commands on",
    "benchmark init": "write class attributes and a recipe for photos of your own, to be filled in",
    "benchmark split": "choose or extend which of your own classes and photos are learned from",
    "benchmark classes": "print your own classes that no photo is learned from, for `duet classes import`",
    "train": "train a model from a recipe",
    "evaluate": "judge a trained model: T1, U, S, H, AUSUC",
    "calibrate": "fit gamma, temperature and rejection threshold on validation classes",
    "export": "write a trained model as a bundle",
    "quantise": "write a bundle in int8 for CPUs, if it loses little, or in float16 for GPUs",
    "sentences": "fit a bundle's reading of free English on its seen classes' descriptions",
    "finder": "teach a bundle to find the object in whole photos",
    "kg-embed": "train class vectors on a knowledge graph (TransE)",
    "kg-attributes": "show the attributes that a knowledge graph gives to classes",
    "grounding": "take out of a bundle's grounding what the model believes before it looks",
    "baseline": "fit and judge ESZSL on the recipe's encoder",
    "decisions": "judge refusals, probabilities and sets of classes of a bundle",
    "maps": "judge whether heat maps point at the bird",
    "whole": "judge whole photos against boxes, in several views of a photo",
    "study run": "train what is missing of a named study: ablations, sweeps, variants",
    "study report": "tables and plots of a named study, with significance",
    "stats": "tell how often attributes occur, and which occur together",
    "report": "write one page with every figure of a finished model",
    "results": "print the table of finished runs, mean and deviation over seeds",
}
"""Subcommand -> what it does. Each is `run` of duet_core/commands/<name>.py, imported only when it is called; of
`classes list` it is classes_list.py, of `kg-embed` kg_embed.py."""

TRAINING_PACKAGES = frozenset(
    {"torch", "torchvision", "timm", "transformers", "scipy", "onnx", "onnxscript", "safetensors", "tensorboard"}
    | {"matplotlib"}
)

_INSTALL = {
    "train": 'make venv-test, or pip install -e ".[train]" in the repository',
    "bulk": 'make venv-test, or pip install -e ".[bulk]" in the repository',
    "ray": 'make venv-test, or pip install -e ".[bulk,ray]" in the repository',
    "client": 'make venv-test, or pip install -e ".[client]" in the repository',
    "onnxruntime": "make venv-serve, or pip install -r requirements/serve.txt in the repository; for CUDA, "
    "requirements/gpu.txt instead",
}
"""What is missing -> how it is installed; the project is on no package index."""

_EXTRAS = {"httpx": "client", "pyarrow": "bulk", "ray": "ray"}
"""Package -> the extra it comes with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `duet` with these arguments (default: the process's own); returns the exit code.

    0 is success, 2 a mistake the message explains. DUET_DEBUG=1 shows the traceback of such mistakes.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words == ["--version"]:
        print(f"duet {__version__}")
        return 0
    name, rest = _split(words)
    if name not in COMMANDS:
        wanted = f"{name} " if any(command.startswith(f"{name} ") for command in COMMANDS) else ""
        help_asked = bool(wanted) and rest[:1] in (["-h"], ["--help"])
        said = "" if help_asked else f"duet: no command {' '.join(words[:2] if wanted else words[:1])!r}\n\n"
        print(f"{said}{_overview(wanted)}", file=sys.stdout if help_asked else sys.stderr)
        return 0 if help_asked else 2
    try:
        command = _load(name)
        options = command_parser(name, command).parse_args(rest)
        for text in _texts(command(**vars(options))):
            print(text, flush=True)
    except SystemExit as stop:  # from the parser, which has printed help or the mistake
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads us has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 0
    except (ValueError, OSError, RuntimeError, ModuleNotFoundError) as error:
        if os.environ.get("DUET_DEBUG"):
            raise
        print(f"duet {name}: {_explain(name, error)}", file=sys.stderr)
        return 2
    return 0


def command_parser(name: str, command: Callable[..., Any]) -> ArgumentParser:
    """A parser with one argument for each parameter of `command`.

    No default: positional (a list takes one or more). A bool is a flag, `--no-like-this` where it holds unless said
    otherwise. Others are `--like-this`, read by their type; a sequence collects every time it is given. The help is
    the parameter's line in the docstring's "Args:".
    """
    documentation = inspect.getdoc(command) or COMMANDS[name]
    description = documentation.split("\n\n")[0]
    parser = ArgumentParser(prog=f"duet {name}", description=description, formatter_class=HelpFormatter)
    hints, helps = get_type_hints(command), _argument_helps(documentation)
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        text = f"{helps.get(parameter.name, '')} {_allowed(hint, parameter.default)}".strip().replace("%", "%%")
        flag = "--" + parameter.name.replace("_", "-")
        if hint is bool and parameter.default is True:
            no = "--no-" + flag.removeprefix("--")
            parser.add_argument(no, dest=parameter.name, action="store_false", default=True, help=f"do not {text}")
        elif parameter.default is not inspect.Parameter.empty and hint is bool:
            parser.add_argument(flag, action="store_true", default=parameter.default, help=text)
        elif parameter.default is not inspect.Parameter.empty and get_origin(hint) is Sequence:
            parser.add_argument(flag, type=get_args(hint)[0], action="append", default=[], help=text)
        elif parameter.default is not inspect.Parameter.empty:
            parser.add_argument(flag, type=hint, default=parameter.default, help=text)
        elif get_origin(hint) is list:
            parser.add_argument(parameter.name, type=get_args(hint)[0], nargs="+", help=text)
        else:
            parser.add_argument(parameter.name, type=hint, help=text)
    return parser


def _allowed(hint: Any, default: Any) -> str:
    """What a value may be and what it is when not given, in brackets; nothing of a flag."""
    if hint is bool:
        return ""
    one = get_args(hint)[0] if get_origin(hint) in (list, Sequence) else hint
    told = type_name(one).removesuffix(" or null")
    return f"({told})" if default in (inspect.Parameter.empty, None, (), "") else f"({told}; default: {default})"


def _split(words: list[str]) -> tuple[str, list[str]]:
    """The command, of one word or of two, and its arguments."""
    for count in (2, 1):
        if (name := " ".join(words[:count])) in COMMANDS:
            return name, words[count:]
    return words[0], words[1:]


def _load(name: str) -> Callable[..., Any]:
    run: Callable[..., Any] = importlib.import_module(
        f"duet_core.commands.{name.replace(' ', '_').replace('-', '_')}"
    ).run
    return run


def _texts(result: str | Iterable[str] | None) -> Iterable[str]:
    """What a command returns to be printed: nothing, one text, or texts as they come."""
    if result is None:
        return ()
    return (result,) if isinstance(result, str) else result


def _explain(name: str, error: Exception) -> str:
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package in TRAINING_PACKAGES:
        return f"`duet {name}` needs {package}, which the base install leaves out: {_INSTALL['train']}"
    if extra := _EXTRAS.get(package):
        return f"`duet {name}` needs {package}: {_INSTALL[extra]}"
    if package == "onnxruntime":
        return f"needs onnxruntime: {_INSTALL['onnxruntime']}"
    return str(error) or type(error).__name__


def _argument_helps(documentation: str) -> dict[str, str]:
    """Parameter -> its text in a Google-style "Args:" section, lines joined."""
    _, _, section = documentation.partition("Args:\n")
    section = re.split(r"\n\S", section)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _overview(group: str = "") -> str:
    """What there is, of all commands or of those of one group."""
    shown = {name: text for name, text in COMMANDS.items() if name.startswith(group)}
    width = max(map(len, shown))
    commands = "\n".join(f"  {name:<{width}}  {text}" for name, text in shown.items())
    return (
        "usage: duet COMMAND [options], duet --version\n\nZero-shot image recognition with DUET.\n\n"
        f"{commands}\n\n`duet COMMAND --help` shows a command's options."
    )


if __name__ == "__main__":
    sys.exit(main())
