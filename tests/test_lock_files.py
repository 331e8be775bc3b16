"""Lock files name packages and hashes, never where they come from: an address there would bind every machine to it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK_FILES = ("requirements.lock", "tests/contract/package-lock.json")
HASHES = re.compile(r"--hash=sha256:[0-9a-f]{64}|\"integrity\": \"sha512-")


@pytest.mark.parametrize("name", LOCK_FILES)
def test_a_lock_file_holds_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert HASHES.search(text)
    addresses = [f"{name}:{at}: {line.strip()}" for at, line in enumerate(text.splitlines(), 1) if "://" in line]
    assert addresses == [], "npm writes `resolved` and `funding`: take both out"
