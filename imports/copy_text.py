"""Lines in the text form of PostgreSQL's COPY. Converters let no tab or line break through; only \\ needs care."""

from collections.abc import Iterable

NULL = "\\N"


def copy_line(values: Iterable[str | None]) -> str:
    """One line; None is NULL."""
    return "\t".join([NULL if value is None else _escaped(value) for value in values]) + "\n"


def _escaped(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\t" in value or "\n" in value or "\r" in value:  # only texts quoted back to the sender can hold them
        value = value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if "\0" in value else value
