"""What changed between two versions of a regulation profile, in plain words, English and Chinese.

The comparison walks the whole profile and knows no list of interesting fields, so that nothing can change unseen: every
changed value is one line, everything added or removed is one line with all that is in it. Words for paths are in
`domain.policy_words`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.policy import Policy
from domain.policy_words import ORDER, Words, basis_words, heading, item_name, label, value_words

Kind = Literal["changed", "added", "removed"]
Path = tuple[str, ...]
_ARROW = " -> "


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where, what it was, what it is, and the same as a sentence."""

    path: str
    """Keys from the top, joined by dots; an entry of a list goes by its id."""
    kind: Kind
    before: Any
    after: Any
    en: str
    zh: str


def policy_diff(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every difference between two profiles, in the order of the profile; equal profiles give none."""
    left, right = keyed(old.pinned()), keyed(new.pinned())
    return tuple(_described(path, before, after, left, right) for path, before, after in _compare((), left, right))


def keyed(value: Any) -> Any:
    """The profile's data with each list of entries as a mapping by id, its order kept beside it under `#order`."""
    if isinstance(value, Mapping):
        return {key: keyed(each) for key, each in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        named = _by_name(value)
        return {**{name: keyed(each) for name, each in named.items()}, ORDER: list(named)}
    return list(value) if isinstance(value, tuple) else value


def _by_name(entries: Sequence[Any]) -> dict[str, Any]:
    """Entries by id; several with one id (figures with windows) by id and first day, then by number."""
    named: dict[str, Any] = {}
    for number, entry in enumerate(entries, 1):
        base = str(entry.get("id", number)) if isinstance(entry, Mapping) else str(number)
        name = base
        if name in named and isinstance(entry, Mapping) and "valid_from" in entry:
            name = f"{base}@{entry['valid_from']}"
        while name in named:
            name += "+"
        named[name] = entry
    return named


_MISSING: Any = object()


def _compare(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    if old is _MISSING or new is _MISSING:
        yield path, old, new
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(each for each in old if each not in new)]:
            if key == ORDER and _same_order(old, new):
                continue
            yield from _compare((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))
    elif _empty_list(old) and isinstance(new, dict) and ORDER in new:
        yield from _compare(path, {}, {key: new[key] for key in new[ORDER]})
    elif _empty_list(new) and isinstance(old, dict) and ORDER in old:
        yield from _compare(path, {key: old[key] for key in old[ORDER]}, {})
    elif old != new or type(old) is not type(new):
        yield path, old, new


def _empty_list(value: Any) -> bool:
    return isinstance(value, list) and not value


def _same_order(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the entries both lists have come in the same order; what was added or removed is told on its own."""
    left, right = old.get(ORDER, ()), new.get(ORDER, ())
    return [each for each in left if each in right] == [each for each in right if each in left]


def _described(path: Path, before: Any, after: Any, left: Any, right: Any) -> Change:
    kind: Kind = "added" if before is _MISSING else "removed" if after is _MISSING else "changed"
    tree = left if kind == "removed" else right
    where, last = heading(path[:-1], left, right), label(path[-1])
    basis = basis_words(path, tree)
    if kind == "changed":
        words = _change_words(last, before, after)
    else:
        words = _entry_words(path, after if kind == "added" else before, kind, tree)
    return Change(
        path=".".join(path),
        kind=kind,
        before=None if before is _MISSING else before,
        after=None if after is _MISSING else after,
        en=_sentence(where.en, words.en, basis.en),
        zh=_sentence(where.zh, words.zh, basis.zh, colon="：", brackets="（）"),
    )


def _change_words(last: Words, before: Any, after: Any) -> Words:
    old, new = value_words(before), value_words(after)
    return Words(f"{last.en} {old.en}{_ARROW}{new.en}", f"{last.zh} {old.zh}{_ARROW}{new.zh}")


def _entry_words(path: Path, value: Any, kind: Kind, tree: Any) -> Words:
    """An entry, a part or a single value that only one of the versions has, with everything in it."""
    name = item_name(path, tree)
    verb = Words("added", "新增") if kind == "added" else Words("removed", "删除")
    parts = list(_leaves((), value))
    en = "; ".join(f"{_trail(trail, 'en')}{value_words(leaf).en}" for trail, leaf in parts)
    zh = "；".join(f"{_trail(trail, 'zh')}{value_words(leaf).zh}" for trail, leaf in parts)
    return Words(f"{name.en} {verb.en}: {en}", f"{verb.zh}{name.zh}：{zh}")


def _trail(path: Path, language: Literal["en", "zh"]) -> str:
    words = [getattr(label(part), language) for part in path]
    return " ".join(words) + " " if words else ""


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            if key != ORDER:
                yield from _leaves((*path, key), each)
    else:
        yield path, value


def _sentence(where: Sequence[str], words: str, basis: str, *, colon: str = ": ", brackets: str = "()") -> str:
    text = colon.join([*where, words])
    space = " " if brackets == "()" else ""
    return f"{text}{space}{brackets[0]}{basis}{brackets[1]}" if basis else text


__all__ = ["Change", "keyed", "policy_diff"]
