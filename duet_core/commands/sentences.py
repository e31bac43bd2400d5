"""`duet sentences`: fit a bundle's reading of free English on descriptions of its seen classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from duet_core.classes import FloatArray
from duet_core.runtime.bundle import SENTENCES, Bundle, open_bundle, renew_files
from duet_core.runtime.text import TextInterpreter
from duet_core.sentence_fit import descriptions_of, fit_sentence_map, read_texts
from duet_core.sentence_validation import left_out


def run(descriptions: Path, *, bundle: Path = Path("models/birds"), language_model: str = "", dry: bool = False) -> str:
    """Fit sentences.npz, the learned map from sentences to degrees, and write it into the bundle.

    Seen classes are those of the bundle: their official degrees lie in it, and of the descriptions only theirs are
    used. Run it after `duet export`, which writes a bundle without the map. What it prints was judged on seen classes
    left out, by their official vectors; no photo is looked at.

    Args:
        descriptions: JSON object, class name to a list of phrases; other classes in it are passed over.
        bundle: folder of the bundle, changed in place.
        language_model: write text.onnx anew from this language model first (needs the train packages).
        dry: judge on classes left out, write nothing.

    Raises ValueError for seen classes without a description, or when the language model cannot tell words apart.
    """
    if language_model:
        _renew_language(bundle, language_model)
    opened = open_bundle(bundle)
    _demand_language(opened)
    told = descriptions_of(opened.classes.labels, json.loads(descriptions.read_text(encoding="utf-8")))
    read = read_texts(TextInterpreter(opened), [", ".join(phrases) for phrases in told])
    judged = left_out(read, opened.degrees, opened.schema)
    lines = [f"{len(told)} seen classes, a third left out at a time, {judged.draws} draws:", *judged.lines()]
    if not dry:
        written = bundle / f".{SENTENCES}"  # numpy adds .npz to other names
        fit_sentence_map(read, opened.degrees, opened.schema).save(written)
        written.replace(bundle / SENTENCES)
        note = {"fitted_on": f"descriptions of the {len(told)} seen classes", **judged.to_json()}
        renew_files(bundle, [SENTENCES], sentences=note)
        open_bundle(bundle)
        lines.append(f"{bundle / SENTENCES}: {(bundle / SENTENCES).stat().st_size / 1000:.0f} kB")
    return "\n".join(lines)


def _renew_language(folder: Path, language_model: str) -> None:
    """text.onnx, tokenizer.json, the attributes' embeddings and the card, as `duet export` writes them."""
    from tokenizers import Tokenizer

    from duet_core.export.language import write_language
    from duet_core.export.model_card import write_card
    from duet_core.export.onnx_files import embed_phrases

    bundle = open_bundle(folder)
    phrases = [attribute.phrase for attribute in bundle.schema.attributes]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    entry = write_language(folder, language_model, tokenizer, phrases)
    with np.load(folder / "classes.npz", allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    kept["attribute_embeddings"] = embed_phrases(folder / "text.onnx", tokenizer, phrases).astype(np.float16)
    np.savez_compressed(folder / "classes.npz", **kept)
    renew_files(folder, ["text.onnx", "tokenizer.json", "classes.npz"], language_model=entry)
    write_card(open_bundle(folder))


def _demand_language(bundle: Bundle) -> None:
    """Raises ValueError when all attributes look alike to the language model: nothing could be learned from it."""
    embeddings: FloatArray = bundle.attribute_embeddings / np.linalg.norm(bundle.attribute_embeddings, axis=1)[:, None]
    typical = float(np.median(embeddings @ embeddings.T))
    if typical > 0.9:
        raise ValueError(
            f"{bundle.folder / 'text.onnx'}: the phrases of two attributes have a median cosine of {typical:.2f}; it "
            "does not tell words apart. Export the bundle again, or give --language-model, such as "
            f"{bundle.manifest['language_model']['name']}"
        )
