"""Reads the YAML text of a regulation profile, or says what is wrong with it in lines a person can act on.

The text comes from outside: aliases, repeated keys, huge or deeply nested files are refused, and
every fault is one line `path: what was expected`, never a traceback.
"""

from collections.abc import Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

MAX_CHARACTERS: Final = 256 * 1024
_MAX_DEPTH: Final = 24


class PolicyError(ValueError):
    """A text that is no usable policy; `faults` holds one line per fault."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(one_line(fault) for fault in faults)
        super().__init__("\n".join(self.faults))


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases (they hide growth) and without repeated keys (they hide edits)."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=self._mark())
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_MAX_DEPTH} levels", problem_mark=self._mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _mark(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be plain text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _load(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise PolicyError([f"file: expected at most {MAX_CHARACTERS} characters, got {len(text)}"])
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader, made stricter)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        problem = error.problem or "not valid YAML"
        if problem.startswith("but ") and error.context:
            problem = f"{error.context}, {problem}"
        raise PolicyError([f"{where}: {problem}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PolicyError([f"file: not valid YAML: {reason}"]) from error


def load_mapping(text: str) -> dict[str, Any]:
    """The mapping at the top of a policy's YAML text.

    Raises:
        PolicyError: with the line of the fault, when `text` is no mapping in plain YAML.
    """
    data = _load(text)
    if not isinstance(data, dict):
        raise PolicyError([f"file: expected a mapping of keys, got {type(data).__name__}"])
    return data


def check_zone(zone: str) -> None:
    """Refuse a time zone that does not exist (the zone's data is looked up, so not in workflows).

    Raises:
        PolicyError: when `zone` is no IANA name.
    """
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as error:
        expected = "expected a name like Europe/Berlin"
        raise PolicyError([f"zone.zone: {zone!r} is no time zone; {expected}"]) from error


def fault_line(item: Any) -> str:
    """One fault of Pydantic as `path: what was expected`."""
    path = path_of(item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    given = item.get("input")
    if isinstance(given, str | int | float) and repr(given) not in message:
        message += f", got {repr(given)[:60]}"
    return f"{path}: {message}"


def path_of(loc: Iterable[str | int]) -> str:
    """Where in the document: `levels.I.obligations[2].due`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in loc if part != "[key]"]
    return one_line("".join(parts).removeprefix(".")) or "policy"


def one_line(text: str) -> str:
    """`text` as one printable line: line breaks, control signs and stray halves of signs are written as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
