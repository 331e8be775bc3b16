"""The verifier as one file: an auditor gets a single text to read and run, made of the `verify*` modules in order.

What each part takes from another is in the same file, so those imports are dropped; what they take from the standard
library is gathered at the top. Nothing else changes.
"""

import ast
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
_MAIN: Final = "verify"
_PARTS: Final = ("verify_file", "verify_parts", "verify_rules", "verify_signatures", _MAIN)
"""Modules in the order of their use, what the others need first."""
_FUTURE: Final = "from __future__ import annotations"


def verifier_source() -> str:
    """The whole verifier: standard library only, Python 3.9 or newer."""
    imports: dict[str, set[str]] = {}
    bodies, head = [], ""
    for part in _PARTS:
        source = (_FOLDER / f"{part}.py").read_text(encoding="utf-8")
        text, body = _split(source, imports)
        bodies.append(body)
        if part == _MAIN:
            head = text
    return "\n".join([head, _FUTURE, "", *_lines(imports), "", "", "\n\n\n".join(bodies), ""])


def _split(source: str, imports: dict[str, set[str]]) -> tuple[str, str]:
    """(what stands before the imports, what stands after them); the standard library's go into `imports`."""
    lines, tree = source.splitlines(), ast.parse(source)
    found = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in found:
        if isinstance(node, ast.Import):
            for name in node.names:
                imports.setdefault(name.name, set())
        elif node.module is not None and node.module.split(".")[0] not in ("dossier", "__future__"):
            imports.setdefault(node.module, set()).update(name.name for name in node.names)
    before = "\n".join(lines[: found[0].lineno - 1]).strip("\n")
    return before + "\n", "\n".join(lines[(found[-1].end_lineno or 0) :]).strip("\n")


def _lines(imports: dict[str, set[str]]) -> list[str]:
    plain = sorted(f"import {module}" for module, names in imports.items() if not names)
    named = sorted(f"from {module} import {', '.join(sorted(names))}" for module, names in imports.items() if names)
    return [*plain, *named]


__all__ = ["verifier_source"]
