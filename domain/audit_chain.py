"""The audit's hash chain: each event's hash covers its content and the hash before it.

Changing, removing, inserting or reordering any event breaks every later hash (21 CFR 11.10(e)). The
canonical JSON is stable through PostgreSQL's `jsonb`: what is read back hashes to the same value.
Cutting events off the end leaves a valid shorter chain, so `verify` also takes the expected last
hash, which the recall's own record keeps.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

GENESIS: Final = "0" * 64
"""The `prev_hash` of the first event of a recall."""

_ACCEPTED: Final = "expected text, number, bool, null, Decimal, date, instant, UUID, list or mapping"
_LINK_FIELDS: Final = frozenset({"hash", "prev_hash"})


class AuditValueError(ValueError):
    """A value that has no single canonical form; the message starts with its path."""


def normalise(value: object, path: str = "event") -> Any:
    """The JSON-able form of `value` as it is hashed and stored.

    Instants become UTC text with microseconds, Decimals plain text without trailing zeros, whole
    floats integers. `normalise(normalise(x)) == normalise(x)`.

    Raises:
        AuditValueError: for naive instants, NaN and infinities, sets, bytes, text that PostgreSQL
            cannot store, keys that are not text, and anything else without a canonical form.
    """
    if isinstance(value, Mapping):
        return {_key(key, path): normalise(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalise(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return _scalar(value.value if isinstance(value, Enum) else value, path)


def _scalar(value: object, path: str) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, float | Decimal):
        return _number(value, path)
    if isinstance(value, date):
        return _instant(value, path)
    if isinstance(value, UUID):
        return str(value)
    raise AuditValueError(f"{path}: a {type(value).__name__} has no canonical form; {_ACCEPTED}")


def _text(value: str, path: str) -> str:
    # Most texts are ids: ASCII has no surrogates, and knows it without being read.
    if "\x00" in value or (not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)):
        raise AuditValueError(f"{path}: text with a NUL or half a surrogate pair cannot be stored")
    return value


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise AuditValueError(f"{path}: keys must be text, got {key!r}")
    return _text(str(key.value) if isinstance(key, Enum) else key, path)


def _number(value: float | Decimal, path: str) -> int | float | str:
    if not math.isfinite(value):
        raise AuditValueError(f"{path}: {value} is not a number that can be recorded")
    if isinstance(value, Decimal):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    # jsonb prints 1e16 as an integer; storing whole floats as integers survives the round trip.
    return int(value) if value == int(value) else value


def _instant(value: date, path: str) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is None:
        raise AuditValueError(f"{path}: an instant needs a time zone, got {value.isoformat()}")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical_json(value: object) -> str:
    """The one JSON text of `value`: sorted keys, no spaces, UTF-8 as is, no NaN."""
    return _canonical(normalise(value))


def _canonical(normal: object) -> str:
    return json.dumps(normal, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def chain_hash(prev_hash: str, event: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over `prev_hash` and the canonical JSON of `event`.

    `event` holds everything the chain protects (seq, actor, role, instant, kind, reason, data ...).
    Its own `hash` and `prev_hash` are left out, so a row as read back can be passed as it is.
    """
    content = {key: item for key, item in event.items() if key not in _LINK_FIELDS}
    return link_hash(prev_hash, normalise(content))


def link_hash(prev_hash: str, content: Mapping[str, Any]) -> str:
    """`chain_hash` of an event's content as `normalise` gave it, without hash and prev_hash."""
    return hashlib.sha256(f"{prev_hash}\n{_canonical(content)}".encode()).hexdigest()


def verify(events: Iterable[Mapping[str, Any]], *, expected_head: str | None = None, first_seq: int = 1) -> int | None:
    """The `seq` of the first event that does not fit the chain, or None when all do.

    Args:
        events: rows in order of `seq`, each with `seq`, `prev_hash`, `hash` and its content.
        expected_head: hash of the last event as kept elsewhere; when the chain ends before it, the
            `seq` that should have come next is returned.
        first_seq: number of the first event; numbers run without gaps.
    """
    previous, expected = GENESIS, first_seq
    for event in events:
        try:
            intact = (
                event["seq"] == expected
                and event["prev_hash"] == previous
                and event["hash"] == chain_hash(previous, event)
            )
        except (KeyError, AuditValueError):
            intact = False
        if not intact:
            return expected
        previous, expected = event["hash"], expected + 1
    return expected if expected_head is not None and previous != expected_head else None
