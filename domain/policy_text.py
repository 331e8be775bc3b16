"""Reads the YAML text of a regulation profile, or says what is wrong with it in lines a person can act on.

The text comes from outside: aliases, repeated keys, huge or deeply nested files are refused, and
every fault is one line `path: what was expected`, never a traceback.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

MAX_CHARACTERS: Final = 256 * 1024
_MAX_DEPTH: Final = 24
_MAX_NUMBER: Final = 40
"""Characters of a number or an instant: a longer one costs time to read and is none that a rule could mean."""
_SHOWN_BITS: Final = 256
_BAD_VALUE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What PyYAML raises, beside its own errors, for values that do not fit the tag they carry."""


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
        if not isinstance(node, yaml.MappingNode):
            raise yaml.MarkedYAMLError(problem="expected keys with values", problem_mark=node.start_mark)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be plain text", problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"key {key.value[:60]!r} is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _bounded(construct: Callable[[Any, Any], Any], kind: str) -> Callable[[Any, Any], Any]:
    """PyYAML's reader of one kind of value, with a limit to its length and its place in every fault."""

    def read(loader: Any, node: Any) -> Any:
        written = loader.construct_scalar(node)
        if len(written) > _MAX_NUMBER:
            problem = f"expected at most {_MAX_NUMBER} characters of {kind}, got {len(written)}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        try:
            return construct(loader, node)
        except _BAD_VALUE as error:
            raise yaml.MarkedYAMLError(problem=f"{written!r} is not {kind}", problem_mark=node.start_mark) from error

    return read


for _tag, _construct, _kind in (
    ("bool", _Loader.construct_yaml_bool, "true or false"),
    ("int", _Loader.construct_yaml_int, "a whole number"),
    ("float", _Loader.construct_yaml_float, "a number"),
    ("timestamp", _Loader.construct_yaml_timestamp, "a date or an instant"),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _bounded(_construct, _kind))


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
        raise PolicyError([f"{where}: {problem[:300]}"]) from error
    except (yaml.YAMLError, RecursionError, *_BAD_VALUE) as error:
        reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
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
    too_long = isinstance(given, int) and given.bit_length() > _SHOWN_BITS  # Python refuses to write such a number
    if isinstance(given, str | int | float) and not too_long and repr(given) not in message:
        message += f", got {repr(given)[:60]}"
    return f"{path}: {message}"


def path_of(loc: Iterable[str | int]) -> str:
    """Where in the document: `levels.I.obligations[2].due`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in loc if part != "[key]"]
    return one_line("".join(parts).removeprefix(".")) or "policy"


def one_line(text: str) -> str:
    """`text` as one printable line: line breaks, control signs and stray halves of signs are written as escapes."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
