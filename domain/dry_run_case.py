"""An invented or past case as data (YAML, schema `recall-case/1`): what happened when, to see what it would have owed.

A case states facts only: jurisdictions, class decisions per product line, clock starts, harm, extensions, orders. Which
policy applies and what follows from it is computed (`domain.timeline`). Every fault is one line `path: what was
expected`. Instants are written `2026-11-20 09:00 America/New_York` or with an offset (`2026-11-20T09:00:00-05:00`).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from domain.levels import MarketAction
from domain.policy_text import PolicyError, fault_line, load_mapping

_FORM: Final = "expected an instant like 2026-11-20 09:00 America/New_York or 2026-11-20T09:00:00-05:00"


class CaseError(PolicyError):
    """A text that is no usable case; `faults` holds one line per fault."""


def _to_instant(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} names no time zone: {_FORM}")
        return _within_years(value)
    if not isinstance(value, str):
        raise ValueError(_FORM)
    text, _, zone = value.strip().rpartition(" ")
    if "/" not in zone and zone != "UTC":
        instant = _parsed(value, value.strip())
        if instant.tzinfo is None:
            raise ValueError(f"{value!r} names no time zone: {_FORM}")
        return _within_years(instant)
    local = _parsed(value, text)
    if local.tzinfo is not None:
        raise ValueError(f"{value!r} has an offset and a zone: {_FORM}")
    try:
        where = ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{zone!r} is no time zone: {_FORM}") from error
    return _placed(value, local, where)


def _parsed(value: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{value!r}: {_FORM}") from error


def _within_years(instant: datetime) -> datetime:
    """The instant, unless it lies where another time zone has no date for it."""
    if not 1 < instant.year < 9999:
        raise ValueError(f"{instant}: expected a year from 2 to 9998")
    return instant


def _placed(value: str, local: datetime, zone: ZoneInfo) -> datetime:
    """A local time as an instant; the hour a clock change skips or repeats is refused."""
    _within_years(local)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
            raise ValueError(f"{value!r} does not exist: the clock is put forward over it")
        raise ValueError(f"{value!r} happens twice: the clock is put back; write it with its offset")
    return first.astimezone(UTC)


Instant = Annotated[AwareDatetime, BeforeValidator(_to_instant)]
PolicyId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=120)]


class CasePart(BaseModel):
    """Base of every part: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(CasePart):
    """Where a law's days end and whose holidays count, where the case differs from the policy."""

    state: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """Member state whose authority receives the reports (EU only)."""
    zone: str | None = Field(default=None, min_length=1, max_length=64)


class LevelDecision(CasePart):
    """A decision on one product line: the level in each jurisdiction it speaks of."""

    at: Instant
    levels: dict[PolicyId, str] = Field(min_length=1)
    actions: dict[PolicyId, MarketAction] = Field(default_factory=dict)
    new_facts: Instant | None = None
    """When the firm became aware of the facts that raised the severity; the decision's instant where it is not said."""
    by: Literal["firm", "authority"] = "firm"

    @model_validator(mode="after")
    def _facts_come_first(self) -> "LevelDecision":
        if self.new_facts and self.new_facts > self.at:
            raise ValueError("new_facts lies after the decision that rests on them")
        return self


class Clocks(CasePart):
    """Clock starts of the recall; the decision is the first class decision unless it is given."""

    awareness: Instant
    decision: Instant | None = None
    first_communication: Instant | None = None
    completion: list[Instant] = Field(default_factory=list)


class Extension(CasePart):
    """Lots added later. `decided`: when their class was decided (that of the extension, where the line had one)."""

    scope_version: int = Field(ge=2, le=1000)
    decided: Instant
    first_communication: Instant | None = None


class Harm(CasePart):
    """A report of harm, numbered in the order of the list."""

    awareness: Instant
    severity: Literal["death", "serious", "other", "unknown"]


class AuthorityOrder(CasePart):
    """An authority's order or demand (a public warning, more to be done)."""

    jurisdiction: PolicyId
    at: Instant


class GateSettled(CasePart):
    """An authority gate passed, or waived for urgency."""

    jurisdiction: PolicyId
    gate: str
    outcome: Literal["passed", "waived"]
    at: Instant


class Correction(CasePart):
    """A clock start that was recorded wrongly: the right instant, and when it was corrected."""

    clock: Literal["awareness", "decision", "first_communication"]
    at: Instant
    corrected: Instant


class DryRunCase(CasePart):
    """One case."""

    schema_: Literal["recall-case/1"] = Field(alias="schema")
    title: str = Field(min_length=1, max_length=300)
    note: str | None = Field(default=None, max_length=4000)
    jurisdictions: list[PolicyId] = Field(min_length=1)
    places: dict[PolicyId, Place] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)
    """Facts that branches of a policy look at."""
    lines: dict[Line, list[LevelDecision]] = Field(min_length=1)
    clocks: Clocks
    extensions: list[Extension] = Field(default_factory=list)
    harm: list[Harm] = Field(default_factory=list)
    authority_orders: list[AuthorityOrder] = Field(default_factory=list)
    gates: list[GateSettled] = Field(default_factory=list)
    corrections: list[Correction] = Field(default_factory=list)
    until: Instant | None = None
    """Recurring reports are listed up to this instant; only the first of each where it is not given."""

    @model_validator(mode="after")
    def _fits_together(self) -> "DryRunCase":
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        for path, named in self._named():
            for unknown in sorted(set(named) - set(self.jurisdictions)):
                yield f"{path}: {unknown} is none of the case's jurisdictions ({', '.join(self.jurisdictions)})"
        for line, decisions in self.lines.items():
            if not decisions:
                yield f"lines.{line}: expected at least one decision"
            if [each.at for each in decisions] != sorted(each.at for each in decisions):
                yield f"lines.{line}: expected the decisions in the order of their instants"
        versions = [each.scope_version for each in self.extensions]
        if len(set(versions)) != len(versions):
            yield "extensions: expected each scope_version once"
        corrected = [each.clock for each in self.corrections]
        if len(set(corrected)) != len(corrected):
            yield "corrections: expected each clock once"
        for each in self.corrections:
            if getattr(self.clocks, each.clock) is None and each.clock != "decision":
                yield f"corrections: the case starts no clock {each.clock}"

    def _named(self) -> Iterator[tuple[str, Iterable[str]]]:
        yield "places", self.places
        yield "authority_orders", [each.jurisdiction for each in self.authority_orders]
        yield "gates", [each.jurisdiction for each in self.gates]
        for line, decisions in self.lines.items():
            for place, decision in enumerate(decisions):
                yield f"lines.{line}[{place}].levels", decision.levels
                yield f"lines.{line}[{place}].actions", decision.actions

    @property
    def decided_at(self) -> datetime:
        """When the clock `decision` started."""
        return self.clocks.decision or min(each.at for decisions in self.lines.values() for each in decisions)


def parse_case(text: str) -> DryRunCase:
    """The case written in `text`.

    Raises:
        CaseError: with every fault found, each one line `path: what was expected`.
    """
    try:
        return DryRunCase.model_validate(load_mapping(text))
    except ValidationError as error:
        faults = [fault_line(item).replace("policy: ", "case: ", 1) for item in error.errors(include_url=False)]
        raise CaseError(faults) from error
    except CaseError:
        raise
    except PolicyError as error:
        raise CaseError(list(error.faults)) from error


__all__ = [
    "AuthorityOrder",
    "CaseError",
    "Clocks",
    "Correction",
    "DryRunCase",
    "Extension",
    "GateSettled",
    "Harm",
    "LevelDecision",
    "Place",
    "parse_case",
]
