"""Opening a bundle: every file checked, every session made once, a wrong bundle refused with a clear reason."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.bundle_files import trouble_with_file, trouble_with_listing, trouble_with_model_id, unprintable
from duet_core.runtime.calibration import Calibration
from duet_core.runtime.class_set import ClassSet
from duet_core.runtime.encoder import Encoder
from duet_core.runtime.evidence import Evidence
from duet_core.runtime.execution import is_suited
from duet_core.runtime.finder import FINDER, Box, Finder, open_finder
from duet_core.runtime.metric import EUCLIDEAN, Metric
from duet_core.runtime.preprocess import Preprocessing, load_rgb, pixels_sha256
from duet_core.runtime.sentence_map import SentenceMap, load_sentence_map
from duet_core.runtime.sessions import ON_CPU, Execution, ProviderError, open_session

FORMAT_VERSION = 1
FILES = (
    "vision.onnx",
    "grounding.onnx",
    "text.onnx",
    "tokenizer.json",
    "classes.npz",
    "calibration.json",
    "golden.png",
    "golden.npz",
)
"""What every bundle holds beside manifest.json."""

KNOWN = ("metric",)
"""What a manifest's `requires` may name: things that a release must know to answer rightly. metric: class vectors of
unit length in a metric of the model's own, which lies in classes.npz."""

SENTENCES = "sentences.npz"
"""What a bundle holds after `duet sentences`: the learned part of reading free English."""

GOLDEN_TOLERANCE = 1e-3
"""Largest |v - expected v| on the golden picture: far above rounding between machines, far below a wrong model."""

FINDER_TOLERANCE = 0.01
"""Farthest that an edge of the finder's box on the golden picture may lie from where it should, in sides of it."""

LEAST_PRECISE = 0.1
"""A manifest's `golden_tolerance` may be at most this share of the largest expected |v|."""

Precision = Literal["float32", "float16", "int8"]


class BundleError(RuntimeError):
    """A bundle that must not be used. The message names the file, what was got, what was expected and what to do."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle. Letter key: A attributes, C seen classes, E width of sentence embeddings.

    Attributes:
        folder: where it lies.
        model_id: names the model in answers and stored classes.
        schema: the A attributes in class-vector order.
        classes: the C seen classes.
        degrees: (C, A) degrees of the seen classes, 0…1.
        attribute_embeddings: (A, E) unit sentence embeddings of the attribute phrases.
        manifest: everything manifest.json says (training, metrics, licence, …).
        vision, grounding: open sessions.
        tokenizer: splits prompts into the language model's pieces.
        sentences: the learned map from sentences to degrees; None in a bundle without one.
        finder: where the object is in a whole photo; None in a bundle without one.
        checksum: sha256 of manifest.json, which holds the checksums of all other files: equal for equal bundles only.
        execution: how its sessions are run; `text` always on the CPU.
    """

    folder: Path
    model_id: str
    schema: AttributeSchema
    preprocessing: Preprocessing
    classes: ClassSet
    degrees: FloatArray
    attribute_embeddings: FloatArray
    calibration: Calibration
    manifest: dict[str, Any]
    vision: onnxruntime.InferenceSession
    grounding: onnxruntime.InferenceSession
    tokenizer: Tokenizer
    checksum: str
    sentences: SentenceMap | None = None
    finder: Finder | None = None
    execution: Execution = ON_CPU
    _text: list[onnxruntime.InferenceSession] = field(default_factory=list, repr=False)
    _text_file: Path = field(default=Path(), init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def prior(self) -> FloatArray:
        """(A,) mean degrees of the seen classes: what is assumed of an attribute nobody spoke of."""
        return np.asarray(self.degrees.mean(axis=0), dtype=np.float32)

    @cached_property
    def evidence(self) -> Evidence:
        """What the rejection threshold is compared with."""
        return Evidence.of(self.calibration.evidence, self.classes.z, self.classes.metric)

    def __post_init__(self) -> None:
        """Keep hold of text.onnx as it is now: until it is needed, another bundle may have come into its place."""
        held = os.open(self.folder / "text.onnx", os.O_RDONLY)
        object.__setattr__(self, "_text_file", Path(f"/dev/fd/{held}"))
        weakref.finalize(self, os.close, held)

    @cached_property
    def fingerprint(self) -> str:
        """The model id, and 12 letters that are the same where v and states mean the same, however calibrated."""
        files, preprocessing = self.manifest["files"], self.preprocessing.to_json()
        told = [files[name]["sha256"] for name in ("vision.onnx", "grounding.onnx", FINDER) if name in files]
        meaning = json.dumps([*told, preprocessing, self.schema.keys], sort_keys=True)
        return f"{self.model_id}@{hashlib.sha256(meaning.encode()).hexdigest()[:12]}"

    @property
    def precision(self) -> Precision:
        """In what `vision.onnx` computes; its inputs and outputs are float32 in any case."""
        return _precision(self.manifest)

    @property
    def text(self) -> onnxruntime.InferenceSession:
        """The sentence encoder, opened on first use: most processes never read a sentence.

        Raises BundleError when the file was written over since the bundle was opened.
        """
        with self._lock:
            if not self._text:
                if describe_file(self._text_file)["sha256"] != self.manifest["files"]["text.onnx"]["sha256"]:
                    raise BundleError(
                        f"{self.folder / 'text.onnx'}: was written over after the bundle was opened; lay a new bundle "
                        "beside an old one, never into its files, and open it"
                    )
                on_cpu = dataclasses.replace(self.execution, providers=ON_CPU.providers)
                self._text.append(open_session(self._text_file, on_cpu))
            return self._text[0]


def describe_file(path: Path) -> dict[str, Any]:
    """The entry of a file in the manifest's `files`: ``{"sha256": hex, "bytes": size}``."""
    with path.open("rb") as stream:
        return {"sha256": hashlib.file_digest(stream, "sha256").hexdigest(), "bytes": path.stat().st_size}


def renew_files(folder: Path, names: Sequence[str], **entries: Any) -> None:
    """Bring the manifest of a bundle up to date with files written into it, and set other entries of it."""
    path = folder / "manifest.json"
    manifest = _read_manifest(folder)
    manifest["files"] = dict(
        sorted((manifest["files"] | {name: describe_file(folder / name) for name in names}).items())
    )
    written = path.with_suffix(".json.new")
    written.write_text(json.dumps(manifest | entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    written.replace(path)


def open_bundle(folder: Path | str, *, execution: Execution = ON_CPU) -> Bundle:
    """Open and check a bundle: format version, sizes and checksums, contents that fit together, golden picture.

    Args:
        folder: the bundle's folder.
        execution: where the vision side runs; its first provider is mandatory.

    Raises:
        BundleError: anything about the bundle is not as it must be.
        ProviderError: the accelerator asked for is missing, or not one for the bundle's precision.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    _check_files(folder, manifest["files"])
    if not is_suited(_precision(manifest), execution.providers[0]):
        raise ProviderError(
            f"{folder} computes in {_precision(manifest)}, which {execution.providers[0]} has no kernels for; "
            "allowed there are float32 and float16, such as what `duet quantise --to fp16` writes"
        )
    try:
        preprocessing = Preprocessing.from_json(manifest["preprocessing"])
        bundle = Bundle(
            folder=folder,
            model_id=str(manifest["model_id"]),
            schema=AttributeSchema.from_json(manifest["schema"]),
            preprocessing=preprocessing,
            **_read_classes(folder / "classes.npz"),
            calibration=Calibration.from_json(json.loads((folder / "calibration.json").read_text())),
            manifest=manifest,
            checksum=describe_file(folder / "manifest.json")["sha256"],
            vision=open_session(folder / "vision.onnx", execution),
            grounding=open_session(folder / "grounding.onnx", execution),
            tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
            sentences=load_sentence_map(folder / SENTENCES) if SENTENCES in manifest["files"] else None,
            finder=open_finder(folder / FINDER, preprocessing) if FINDER in manifest["files"] else None,
            execution=execution,
        )
        _check_names(bundle)
        _check_shapes(bundle)
        _check_golden(bundle)
    except (BundleError, ProviderError):
        raise
    except Exception as error:  # errors of ONNX Runtime, tokenizers and zipfile have no class in common
        raise BundleError(f"{folder}: {type(error).__name__}: {error}; export the bundle again") from error
    return bundle


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise BundleError(
            f"{path}: no such file; a bundle is a folder with manifest.json, such as models/birds. "
            "Name it with --bundle or DUET_BUNDLE"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path}: not JSON ({error}); copy or export the bundle again") from error
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{path}: format_version {version!r}, this program reads {FORMAT_VERSION}; "
            "export the bundle again, or install the release it was made with"
        )
    missing = [name for name in ("model_id", "schema", "preprocessing", "files") if name not in manifest]
    if missing:
        raise BundleError(f"{path}: without {', '.join(missing)}; export the bundle again")
    if trouble := trouble_with_model_id(manifest["model_id"]) or trouble_with_listing(manifest["files"]):
        raise BundleError(f"{path}: {trouble}; export the bundle again")
    requires = manifest.get("requires") or []
    unknown = [name for name in requires if name not in KNOWN] if isinstance(requires, list) else [requires]
    if unknown:
        raise BundleError(f"{path}: requires {', '.join(map(str, unknown))}, unknown here; install a newer release")
    return dict(manifest)


def _check_files(folder: Path, listed: dict[str, dict[str, Any]]) -> None:
    """Sizes first, they cost nothing; then each file is read once for its checksum."""
    unlisted = [name for name in FILES if name not in listed]
    if unlisted:
        raise BundleError(f"{folder / 'manifest.json'}: files lists no {', '.join(unlisted)}; export the bundle again")
    for name, expected in listed.items():
        path = folder / name
        if trouble := trouble_with_file(folder, name):
            raise BundleError(f"{folder / 'manifest.json'}: {trouble}")
        if path.stat().st_size != expected["bytes"]:
            raise BundleError(
                f"{path}: {path.stat().st_size} bytes, manifest.json says {expected['bytes']}; copy the file again "
                "(a Git LFS pointer or a download cut short looks like this)"
            )
        checksum = describe_file(path)["sha256"]
        if checksum != expected["sha256"]:
            raise BundleError(
                f"{path}: sha256 {checksum}, manifest.json says {expected['sha256']}; the file was changed, "
                "copy it again or export the bundle again"
            )


def _read_classes(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        ids = tuple(str(name) for name in arrays["ids"])
        return {
            "classes": ClassSet(
                ids=ids,
                labels=tuple(str(label) for label in arrays["labels"]),
                seen=np.ones(len(ids), dtype=np.bool_),
                z=arrays["z"],
                metric=Metric(_frozen(arrays["metric"])) if "metric" in arrays else EUCLIDEAN,
            ),
            "degrees": _frozen(arrays["degrees"]),
            "attribute_embeddings": _frozen(arrays["attribute_embeddings"]),
        }


def _frozen(array: NDArray[Any]) -> FloatArray:
    copy = np.array(array, dtype=np.float32)
    copy.setflags(write=False)
    return copy


def _check_names(bundle: Bundle) -> None:
    """Ids and labels stand in answers, pages and log lines."""
    named = (*bundle.classes.ids, *bundle.classes.labels, *(attribute.key for attribute in bundle.schema.attributes))
    if (name := unprintable(named)) is not None:
        raise BundleError(
            f"{bundle.folder}: {name!r} names a class or an attribute; names are not empty and hold no control "
            "characters, such as 'Painted Bunting'; export the bundle again"
        )


def _check_shapes(bundle: Bundle) -> None:
    """The parts must be of one model: A attributes everywhere, inputs and outputs by the names of the format."""
    count, attributes = len(bundle.classes), len(bundle.schema)
    sizes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
        ("classes.npz: z", bundle.classes.z.shape, (count, attributes)),
        ("classes.npz: degrees", bundle.degrees.shape, (count, attributes)),
        ("classes.npz: attribute_embeddings", bundle.attribute_embeddings.shape[:1], (attributes,)),
    ]
    if bundle.sentences is not None:
        fitted = (bundle.sentences.attributes, bundle.sentences.embedding_width)
        sizes.append((SENTENCES, fitted, (attributes, bundle.attribute_embeddings.shape[-1])))
    for what, got, expected in sizes:
        if got != expected:
            raise BundleError(f"{bundle.folder / what} {got}, expected {expected}; export the bundle again")
    if ("metric" in (bundle.manifest.get("requires") or [])) != (bundle.classes.metric.factor is not None):
        raise BundleError(
            f"{bundle.folder / 'classes.npz'}: metric, which manifest.json requires or knows nothing of; copy both "
            "files again or export the bundle again"
        )
    if not count or not np.isfinite(bundle.degrees).all() or bundle.degrees.min() < 0 or bundle.degrees.max() > 1:
        raise BundleError(
            f"{bundle.folder / 'classes.npz'}: needs at least one class and degrees in 0…1; export the bundle again"
        )
    names = (
        ("vision.onnx", bundle.vision, {"pixels"}, {"v", "state"}),
        ("grounding.onnx", bundle.grounding, {"state"}, {"attribute_scores"}),
    )
    for file, session, inputs, outputs in names:
        got_in, got_out = {node.name for node in session.get_inputs()}, {node.name for node in session.get_outputs()}
        if got_in != inputs or not outputs <= got_out:
            raise BundleError(
                f"{bundle.folder / file}: inputs {sorted(got_in)}, outputs {sorted(got_out)}; "
                f"expected {sorted(inputs)} and {sorted(outputs)}; export the bundle again"
            )


def _check_golden(bundle: Bundle) -> None:
    """Run the golden picture through preprocessing and model and compare with what the exporter saw."""
    encoder = Encoder(bundle)
    path = bundle.folder / "golden.npz"
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as golden:
        missing = sorted({"pixels_sha256", "v", "state"} - set(golden.files))
        if missing:
            raise BundleError(f"{bundle.folder / 'golden.npz'}: without {missing}; export the bundle again")
        checksum, v, state = str(golden["pixels_sha256"]), golden["v"].reshape(-1), golden["state"].reshape(1, -1)
    picture = load_rgb(bundle.folder / "golden.png")
    pixels = encoder.prepare(picture)
    if pixels_sha256(pixels) != checksum:
        raise BundleError(
            f"{bundle.folder / 'golden.png'}: pixels {pixels_sha256(pixels)}, golden.npz says {checksum}; Pillow or "
            "the preprocessing differs from the exporter's: install the pinned requirements or export again"
        )
    encoded = encoder.encode_pixels(pixels[None])
    for name, got, expected in (("v", encoded.v[0], v), ("state", encoded.state[0], state[0])):
        if got.shape != expected.shape:
            raise BundleError(
                f"{bundle.folder / 'vision.onnx'}: {name} has {got.size} numbers, golden.npz has {expected.size}; "
                "export the bundle again"
            )
    worst, allowed = float(np.abs(encoded.v[0] - v).max()), _golden_tolerance(bundle, float(np.abs(v).max()))
    if not worst <= allowed:
        raise BundleError(
            f"{bundle.folder / 'vision.onnx'}: on golden.png v is off by {worst:.2e}, at most {allowed:g} is "
            "allowed; this machine does not compute what was exported: check ONNX Runtime's version, or export again"
        )
    if encoder.attribute_scores(encoded.state).shape != (1, len(bundle.schema)):
        raise BundleError(f"{bundle.folder / 'grounding.onnx'}: not one score per attribute; export the bundle again")
    if bundle.finder is not None:
        expected = Box(**bundle.manifest["finder"]["golden"])
        off = bundle.finder.find(picture).distance(expected)
        if not off <= FINDER_TOLERANCE:
            raise BundleError(
                f"{bundle.folder / FINDER}: the box of golden.png is off by {off:.3f}, at most {FINDER_TOLERANCE:g} is "
                "allowed; copy the file again, or run `duet finder` again"
            )


def _golden_tolerance(bundle: Bundle, largest: float) -> float:
    """Largest |v - expected v| that passes: the format's, or for other precisions than float32 the manifest's own."""
    stated = bundle.manifest.get("golden_tolerance", GOLDEN_TOLERANCE)
    most = GOLDEN_TOLERANCE if bundle.precision == "float32" else LEAST_PRECISE * largest
    if not isinstance(stated, int | float) or not 0 < stated <= max(most, GOLDEN_TOLERANCE):
        raise BundleError(
            f"{bundle.folder / 'manifest.json'}: golden_tolerance {stated!r}; allowed for {bundle.precision} is more "
            f"than 0 and at most {most:g}; quantise the bundle again"
        )
    return float(stated)


def _precision(manifest: dict[str, Any]) -> Precision:
    stated = manifest.get("precision", "float32")
    if stated not in get_args(Precision):
        raise BundleError(f"manifest.json: precision {stated!r}; allowed are {', '.join(get_args(Precision))}")
    return cast(Precision, stated)
