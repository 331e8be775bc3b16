#!/usr/bin/env python3
"""Checks a recall dossier without the product that wrote it: standard library only, Python 3.9 or newer.

    python3 verify.py DOSSIER.zip [--sha256 HASH]

One line per check. Exit code 0: everything holds; 1: something does not hold or is missing; 2: the file cannot be
read. HASH is what `recall dossier` printed when it wrote the file: only that proves that nobody wrote another one.
"""

from __future__ import annotations

import hashlib
import re
import sys
from typing import BinaryIO, Callable, Iterator  # noqa: UP035 - Python 3.9

from dossier.verify_file import CHUNK, Dossier, Fault, check_layout, check_manifest, check_seal
from dossier.verify_parts import (
    check_chain,
    check_citations,
    check_evidence,
    check_gaps,
    check_histories,
    check_notices,
    check_record,
)
from dossier.verify_signatures import check_signatures

CHECKS: list[tuple[str, Callable[[Dossier], str]]] = [
    ("seal", check_seal), ("layout", check_layout), ("manifest", check_manifest), ("record", check_record),
    ("audit", check_chain), ("evidence", check_evidence), ("citations", check_citations), ("notices", check_notices),
    ("signatures", check_signatures), ("histories", check_histories), ("complete", check_gaps),
]  # fmt: skip


def verify(file: BinaryIO) -> Iterator[tuple[bool, str, str]]:
    """(holds, check, what was found); a check that cannot be made does not hold."""
    dossier = Dossier(file)
    for name, check in CHECKS:
        try:
            yield True, name, check(dossier)
        except Fault as fault:
            yield False, name, str(fault)
        except Exception as error:  # noqa: BLE001 - a damaged file may break anything, and must be told, not shown
            yield False, name, f"cannot be checked ({type(error).__name__}: {str(error)[:120]})"
    yield from ((True, "note", note) for note in dossier.notes)


def main(arguments: list[str]) -> int:
    wanted = arguments[2].lower() if len(arguments) == 3 and arguments[1] == "--sha256" else None
    if not arguments or (len(arguments) > 1 and not (wanted and re.fullmatch("[0-9a-f]{64}", wanted))):
        sys.stderr.write("use: python3 verify.py DOSSIER.zip [--sha256 HASH]   (HASH: 64 hex digits)\n")
        return 2
    try:
        with open(arguments[0], "rb") as file:  # noqa: PTH123
            whole = hashlib.sha256()
            for chunk in iter(lambda: file.read(CHUNK), b""):
                whole.update(chunk)
            found, held = whole.hexdigest(), True
            results = list(verify(file))
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} cannot be read: {error.strerror or error}\n")
        return 2
    if wanted is not None:
        results.insert(0, (found == wanted, "sha256", found if found == wanted else f"is {found}"))
    for holds, name, text in results:
        held = held and holds
        mark = "note" if name == "note" else "ok  " if holds else "FAIL"
        line = f"{mark}  {name + ': ' if name != 'note' else ''}{text}"
        line, code = "".join(c if c.isprintable() else "?" for c in line), sys.stdout.encoding or "ascii"
        sys.stdout.write(line.encode(code, "backslashreplace").decode(code) + "\n")
    if wanted is None:
        sys.stdout.write(f"note  sha256 {found}: compare it with the hash printed when the file was written\n")
    sys.stdout.write("INTACT\n" if held else "NOT INTACT OR NOT COMPLETE\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
