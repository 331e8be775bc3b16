"""The model as a file: gzipped JSON with plain figures, which anybody can read and nothing can execute.

Reading checks every figure, because a weight that is not a number would silently turn advice into noise. The name of
a model carries the start of the file's SHA-256.
"""

import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from domain.class_suggestion import Feature, Model, Thresholds, Vector
from domain.suggestion_text import BLOCKS

FORMAT: Final = 1
FOLDER: Final = Path(__file__).parent / "model"
WEIGHTS: Final = "weights.json.gz"
CARD: Final = "card.json"
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes of JSON that are read at most; a model has about two million."""


class ModelError(ValueError):
    """The file is no model that can be used; the message names the file and the path of the fault."""


def write_model(model: Model, file: Path) -> str:
    """Write a model, without a time stamp, so that equal models are equal files; returns the SHA-256 of its JSON."""
    document = {
        "format": FORMAT,
        "name": model.version,
        "learned_from": model.learned_from,
        "classes": ["I", "II", "III"],
        "intercept": list(model.intercept),
        "temperature": model.temperature,
        "shift": list(model.shift),
        "thresholds": {name: getattr(model.thresholds, name) for name in Thresholds.__slots__},
        "blocks": {
            block: {
                "weight": model.block_weights[block],
                "features": {text: [each.rarity, *each.weights] for text, each in model.features[block].items()},
            }
            for block in BLOCKS
        },
    }
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    file.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    return hashlib.sha256(content).hexdigest()


def read_model(file: Path) -> Model:
    """Read and check a model.

    Raises:
        ModelError: the file is missing, damaged, of another format, or has a figure that is none.
    """
    content = _content(file)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file.name}: is not JSON: {error}") from error
    try:
        if document["format"] != FORMAT:
            raise ModelError(f"{file.name}: format must be {FORMAT}, not {document['format']!r}")
        return _model(document, hashlib.sha256(content).hexdigest(), file.name)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{file.name}: is not a model: {type(error).__name__} at {error}") from error


@cache
def shipped_model() -> Model:
    """The model that comes with the product, read once by each process.

    Raises:
        ModelError: as `read_model`.
    """
    return read_model(FOLDER / WEIGHTS)


def sha256_of(file: Path) -> str:
    """SHA-256 of the JSON inside a model file.

    Raises:
        ModelError: the file is missing or damaged.
    """
    return hashlib.sha256(_content(file)).hexdigest()


def _content(file: Path) -> bytes:
    try:
        with gzip.open(file) as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, EOFError) as error:
        raise ModelError(f"{file.name}: cannot be read: {error}") from error
    if len(content) > _LARGEST:
        raise ModelError(f"{file.name}: has more than {_LARGEST} bytes")
    return content


def _model(document: Mapping[str, Any], sha256: str, name: str) -> Model:
    blocks = {block: document["blocks"][block] for block in BLOCKS}
    found = {
        block: {text: _feature(figures, f"{name}: blocks.{block}.{text}") for text, figures in part["features"].items()}
        for block, part in blocks.items()
    }
    for key in ("name", "learned_from"):
        if not isinstance(document[key], str):
            raise ModelError(f"{name}: {key} must be a text")
    temperature = _number(document["temperature"], f"{name}: temperature")
    if temperature <= 0:
        raise ModelError(f"{name}: temperature must be above 0, not {temperature}")
    return Model(
        version=f"{document['name']}+{sha256[:12]}",
        learned_from=document["learned_from"],
        block_weights={
            block: _number(part["weight"], f"{name}: blocks.{block}.weight") for block, part in blocks.items()
        },
        features=found,
        intercept=_vector(document["intercept"], f"{name}: intercept"),
        temperature=temperature,
        shift=_vector(document["shift"], f"{name}: shift"),
        thresholds=Thresholds(
            **{each: _share(document["thresholds"][each], name, each) for each in Thresholds.__slots__}
        ),
    )


def _feature(figures: Any, path: str) -> Feature:
    if not isinstance(figures, list) or len(figures) != 4:
        raise ModelError(f"{path} must be four numbers")
    return Feature(_number(figures[0], path), _vector(figures[1:], path))


def _vector(figures: Any, path: str) -> Vector:
    if not isinstance(figures, list) or len(figures) != 3:
        raise ModelError(f"{path} must be three numbers")
    first, second, third = (_number(each, path) for each in figures)
    return (first, second, third)


def _share(value: Any, name: str, key: str) -> float:
    found = _number(value, f"{name}: thresholds.{key}")
    if not 0 <= found <= 1:
        raise ModelError(f"{name}: thresholds.{key} must lie between 0 and 1, not {found}")
    return found


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelError(f"{path} must be a number, not {value!r}")
    return float(value)


__all__ = ["CARD", "FOLDER", "WEIGHTS", "ModelError", "read_model", "sha256_of", "shipped_model", "write_model"]
