"""One comparison: what was expected from outside, what the product says, and every single difference."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
_LISTED = 5


@dataclass(frozen=True)
class Comparison:
    """One line of the check."""

    what: str
    expected: str
    found: str
    differences: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def lines(self) -> list[str]:
        """As printed: one line when it agrees, the first differences when it does not."""
        if self.agrees:
            return [f"  ok   {self.what}: {self.expected}"]
        shown = [f"  FAIL {self.what}: expected {self.expected}, found {self.found}"]
        shown += [f"         {difference}" for difference in self.differences[:_LISTED]]
        if len(self.differences) > _LISTED:
            shown.append(f"         and {len(self.differences) - _LISTED} more differences")
        return shown


def same(what: str, expected: Any, found: Any) -> Comparison:
    """One value against another."""
    differences = [] if expected == found else [f"{shown(expected)} is not {shown(found)}"]
    return Comparison(what, shown(expected), shown(found), differences)


def same_set(what: str, expected: Iterable[K], found: Iterable[K], unit: str) -> Comparison:
    """One set against another; repeats on either side count as differences, too."""
    wanted, got = list(expected), list(found)
    differences = [f"missing: {shown(each)}" for each in sorted(set(wanted) - set(got), key=shown)]
    differences += [f"not expected: {shown(each)}" for each in sorted(set(got) - set(wanted), key=shown)]
    for name, listed in (("expected", wanted), ("found", got)):
        if len(listed) != len(set(listed)):
            differences.append(f"{len(listed) - len(set(listed))} repeated among the {name}")
    return Comparison(what, f"{len(wanted)} {unit}", f"{len(got)} {unit}", differences)


def same_map(what: str, expected: Mapping[K, Any], found: Mapping[K, Any], unit: str) -> Comparison:
    """Values by key: missing keys, unexpected keys and different values."""
    differences = [f"missing: {shown(key)} with {shown(expected[key])}" for key in _only(expected, found)]
    differences += [f"not expected: {shown(key)} with {shown(found[key])}" for key in _only(found, expected)]
    differences += [
        f"{shown(key)}: expected {shown(value)}, found {shown(found[key])}"
        for key, value in sorted(expected.items(), key=lambda item: shown(item[0]))
        if key in found and found[key] != value
    ]
    return Comparison(what, _summary(expected, unit), _summary(found, unit), differences)


def holds(what: str, statement: str, violations: Iterable[str]) -> Comparison:
    """A rule that must hold, with every violation of it."""
    listed = list(violations)
    return Comparison(what, statement, f"{len(listed)} violations", listed)


def shown(value: Any) -> str:
    """A value for a reader."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple):
        return " / ".join(shown(part) for part in value if part is not None)
    return str(value)


def plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _only(left: Mapping[K, Any], right: Mapping[K, Any]) -> list[K]:
    return sorted((key for key in left if key not in right), key=shown)


def _summary(values: Mapping[K, Any], unit: str) -> str:
    if values and all(isinstance(value, Decimal) for value in values.values()):
        return f"{len(values)} {unit}, {plain(sum(values.values(), Decimal(0)))} in all"
    return f"{len(values)} {unit}"
