"""Which languages a page speaks: those that have a file of words in its folder, English first.

A language is added by adding the file; a test holds every file to the same keys.
"""

from pathlib import Path

from domain.notice_content import DEFAULT_LANGUAGE


def languages_in(folder: Path, name: str = "messages") -> tuple[str, ...]:
    """Tags of the files `<name>.<tag>.yaml`."""
    found = {path.name.removeprefix(f"{name}.").removesuffix(".yaml") for path in folder.glob(f"{name}.*.yaml")}
    return tuple(sorted(found, key=lambda tag: (tag != DEFAULT_LANGUAGE, tag)))


__all__ = ["languages_in"]
