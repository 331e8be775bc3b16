"""The audit chain recomputed from outside, by the rule the documentation states.

hash = SHA-256( previous hash, line feed, JSON of the event with sorted keys, no spaces, UTF-8 as it is ), where the
event is stream, seq, at (UTC, microseconds, Z), actor, role, action, reason and data.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


def link_hash(previous: str, stream: str, event: dict[str, Any]) -> str:
    """The hash this event must have after `previous`."""
    content = {name: event[name] for name in ("seq", "actor", "role", "action", "reason", "data")}
    content |= {"stream": stream, "at": _instant(event["at"])}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def faults(stream: str, events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with a chain, link by link."""
    previous = GENESIS
    for place, event in enumerate(events, start=1):
        if event["seq"] != place:
            yield f"event {place} has the number {event['seq']}"
        if event["prev_hash"] != previous:
            yield f"event {place} does not continue the one before"
        if event["hash"] != link_hash(event["prev_hash"], stream, event):
            yield f"event {place} ({event['action']}) has not the hash of its content"
        previous = event["hash"]


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
