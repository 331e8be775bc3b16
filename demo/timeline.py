"""What happened when, in real time and in the policy time it stands for: from the product's own audit trail."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_QUIET = frozenset({"task.opened", "hold.requested", "evidence.uploaded", "evidence.linked", "shortages.computed"})


@dataclass(frozen=True)
class Clock:
    """Real and policy time of one recall, as the product says: both met at `created`, policy time runs `pace` times."""

    created: datetime
    pace: float

    @classmethod
    def of(cls, recall: dict[str, Any]) -> "Clock":
        """The clock of a recall as read from the API."""
        return cls(datetime.fromisoformat(recall["created"]["at"]), float(recall["pace"]))

    def policy(self, real: datetime) -> str:
        """Policy time since the alarm, as days and hours."""
        return elapsed((real - self.created) * self.pace)

    def real(self, real: datetime) -> str:
        """Real seconds since the alarm."""
        return f"{(real - self.created).total_seconds():6.1f} s"


def elapsed(span: timedelta) -> str:
    """`day 1 06:12`; before the alarm a minus sign stands in front."""
    sign = "-" if span < timedelta(0) else ""
    minutes = round(abs(span).total_seconds() / 60)
    return f"{sign}day {minutes // 1440} {minutes // 60 % 24:02d}:{minutes % 60:02d}"


def timeline(clock: Clock, events: Sequence[dict[str, Any]]) -> str:
    """The table; events of one kind in a row are one line."""
    lines = [f"{'real time':>9}  {'policy time':<12}  {'who':<18}  what"]
    # An event carries its sender's instant; the chain has the order in which they were written.
    told = sorted(events, key=lambda event: (datetime.fromisoformat(event["at"]), event["seq"]))
    for first, last, count in _runs([event for event in told if event["action"] not in _QUIET]):
        at, until = datetime.fromisoformat(first["at"]), datetime.fromisoformat(last["at"])
        many = f"  (x {count}, until {clock.real(until).strip()} / {clock.policy(until)})" if count > 1 else ""
        who = first["actor"] if count == 1 else first["role"]
        lines.append(f"{clock.real(at):>9}  {clock.policy(at):<12}  {who[:18]:<18}  {_words(first)}{many}")
    return "\n".join(lines)


def _runs(events: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    start = 0
    for index in range(1, len(events) + 1):
        if index == len(events) or events[index]["action"] != events[start]["action"] or _alone(events[start]):
            yield events[start], events[index - 1], index - start
            start = index


def _alone(event: dict[str, Any]) -> bool:
    return str(event["action"]).startswith(("phase.", "gate.", "class.", "campaign."))


def _words(event: dict[str, Any]) -> str:
    data = event["data"]
    told: dict[str, Callable[[], str]] = {
        "phase.entered": lambda: f"{data['from']} -> {data['to']}",
        "scope.traced": lambda: f"{data['lots']} lots, {data['consignees']} consignees, {data['quantity']} units",
        "campaign.advanced": lambda: ", ".join(f"{n} {kind}" for kind, n in sorted(data["deliveries"].items())),
        "decision.refused": lambda: f"{data['operation']}: {data['refusal']}",
        "gate.passed": lambda: str(data["step"]),
        "gate.waived": lambda: str(data["step"]),
        "access.refused": lambda: str(data["kind"]),
    }
    describe = told.get(event["action"])
    try:
        return f"{event['action']}  {describe()}" if describe else str(event["action"])
    except (KeyError, AttributeError):  # a newer product may say it in other words
        return str(event["action"])
