"""A model file is plain figures: what is written is read back, and whatever is not a model is refused by name."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from suggestion.model_file import CARD, FOLDER, WEIGHTS, ModelError, read_model, sha256_of, shipped_model, write_model

pytestmark = pytest.mark.unit


def test_the_shipped_model_is_the_one_its_card_speaks_of() -> None:
    card = json.loads((FOLDER / CARD).read_text(encoding="utf-8"))
    model = shipped_model()
    assert sha256_of(FOLDER / WEIGHTS) == card["model"]["sha256"]
    assert model.version == f"{card['model']['name']}+{card['model']['sha256'][:12]}"
    for name, value in card["model"]["thresholds"].items():
        assert getattr(model.thresholds, name) == value


def test_the_shipped_model_is_a_few_megabytes_at_most() -> None:
    assert (FOLDER / WEIGHTS).stat().st_size < 3_000_000


def test_a_model_written_again_is_the_same_file(tmp_path: Path) -> None:
    model = shipped_model()
    name = model.version.partition("+")[0]
    one, two = tmp_path / "one", tmp_path / "two"
    from dataclasses import replace

    sha256 = write_model(replace(model, version=name), one)
    write_model(replace(model, version=name), two)
    assert one.read_bytes() == two.read_bytes()
    assert read_model(one) == model
    assert sha256 == sha256_of(FOLDER / WEIGHTS)


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress((FOLDER / WEIGHTS).read_bytes()))
    document["blocks"] = {name: {"weight": 1.0, "features": {"word": [1.0, 0, 0, 0]}} for name in document["blocks"]}
    return document


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": 2}, "format must be 1"),
        ({"name": 7}, "name must be a text"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"temperature": True}, "temperature must be a number"),
        ({"shift": [0, 1]}, "shift must be three numbers"),
        ({"intercept": [0, 1, "2"]}, "intercept must be a number"),
        ({"intercept": [0, 1, float("nan")]}, "intercept must be a number"),
        ({"thresholds": {"class_i": 2, "class_iii": 0.5, "review": 0.5, "familiar": 0.5}}, "class_i must lie between"),
        ({"thresholds": {}}, "is not a model"),
        ({"blocks": {}}, "is not a model"),
        ({"blocks": []}, "is not a model"),
    ],
)
def test_a_file_that_is_no_model_is_refused_by_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    file = tmp_path / "model.gz"
    file.write_bytes(gzip.compress(json.dumps(_document() | change).encode()))
    with pytest.raises(ModelError, match=fault):
        read_model(file)


@pytest.mark.parametrize("features", [{"word": [1, 2]}, {"word": "x"}, {"word": [1, 2, 3, None]}])
def test_a_feature_without_four_numbers_is_named(tmp_path: Path, features: dict[str, Any]) -> None:
    document = _document()
    document["blocks"]["reason"]["features"] = features
    file = tmp_path / "model.gz"
    file.write_bytes(gzip.compress(json.dumps(document).encode()))
    with pytest.raises(ModelError, match=r"blocks\.reason\.word must be"):
        read_model(file)


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04\x95 pickle", gzip.compress(b"not json", mtime=0), gzip.compress(b"[]", mtime=0)]
)
def test_damaged_files_and_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.gz"
    file.write_bytes(content)
    with pytest.raises(ModelError):
        read_model(file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        read_model(tmp_path / "absent")
