"""Ways out of a hold: which exist, where each is possible, and what each must bring before it counts.

Every exit needs evidence. Destruction needs a witness who is not the doer, rework the lot that came of it, a
replacement the lot that took the place. The rules are one table, so that proposals, executions and texts agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DispositionKind(StrEnum):
    """The ways out of a hold."""

    return_to_us = "return_to_us"
    """A consignee's units come back and are counted at our dock; they are held there for their next disposition."""
    return_to_factory = "return_to_factory"
    rework = "rework"
    """Reworked or repackaged into another lot, which stays under the same holds until it is released."""
    field_correction = "field_correction"
    """Corrected where it is, by the consignee's statement (21 CFR 7.3(h))."""
    destroy = "destroy"
    replace_ = "replace"
    """Exchanged at the consignee: its units come back to our dock, units of an unaffected lot go out."""
    release = "release"
    """Found conforming, released through the signed release gate."""


class ResultLot(StrEnum):
    """What a carried-out part must say about another lot."""

    NONE = "none"
    NEW = "new"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind requires."""

    ours: bool
    """Possible for units in our own or a logistics partner's custody."""
    consignees: bool
    """Possible for units a consignee states to have."""
    document: str | None
    """The document that must be named with each part; None where evidence is enough."""
    witness: bool = False
    result: ResultLot = ResultLot.NONE
    dock: bool = False
    """Names the place of ours where the units are counted in."""
    approvals: int = 1


RULES: Final[Mapping[DispositionKind, Rule]] = MappingProxyType(
    {
        DispositionKind.return_to_us: Rule(ours=False, consignees=True, document="return note", dock=True),
        DispositionKind.return_to_factory: Rule(ours=True, consignees=False, document="delivery note"),
        DispositionKind.rework: Rule(ours=True, consignees=False, document="work order", result=ResultLot.NEW),
        DispositionKind.field_correction: Rule(ours=False, consignees=True, document=None),
        DispositionKind.destroy: Rule(ours=True, consignees=True, document="certificate of destruction", witness=True),
        DispositionKind.replace_: Rule(
            ours=False, consignees=True, document="exchange note", result=ResultLot.EXISTING, dock=True
        ),
        DispositionKind.release: Rule(ours=True, consignees=False, document=None, approvals=2),
    }
)
"""Kind -> rule; the one place that says what an exit needs."""


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What somebody states about a carried-out part."""

    quantity: Decimal
    done_by: str
    evidence: int
    """Files cited."""
    document_no: str | None = None
    witness: str | None = None
    result_lot: ResultLot = ResultLot.NONE
    dock: bool = False
    destination: bool = False
    """Whether a destination is named (return to factory; else the lot's manufacturing site)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong or missing field, in the words of the request."""

    field: str
    expected: str


def place_fault(kind: DispositionKind, *, at_consignee: bool) -> Fault | None:
    """Whether `kind` is possible where the units are."""
    rule = RULES[kind]
    if at_consignee and not rule.consignees:
        return Fault("kind", f"{kind.value} is for units in our custody; let the consignee return them first")
    if not at_consignee and not rule.ours:
        return Fault("kind", f"{kind.value} is for units at a consignee, not for our own stock")
    return None


def part_faults(kind: DispositionKind, facts: PartFacts) -> tuple[Fault, ...]:
    """Everything that is missing, or must not be there, for a carried-out part of this kind."""
    rule, found = RULES[kind], []
    if facts.evidence < 1:
        found.append(Fault("evidence_ids", "at least one evidence file: every way out of a hold is proved"))
    if rule.document and not facts.document_no:
        found.append(Fault("document_no", f"the number of the {rule.document}"))
    found += _witness_faults(rule, facts)
    if rule.result is not facts.result_lot:
        found.append(Fault(*_RESULT_TEXTS[rule.result]))
    if rule.dock and not facts.dock:
        found.append(Fault("location_id", "the place of ours where the units were counted in"))
    if facts.dock and not rule.dock:
        found.append(Fault("location_id", f"not for {kind.value}"))
    if facts.destination and kind is not DispositionKind.return_to_factory:
        found.append(Fault("destination_id", f"not for {kind.value}"))
    return tuple(found)


_RESULT_TEXTS: Final = {
    ResultLot.NONE: ("result_lot", "neither result_lot nor replacement_lot_id belongs to this kind"),
    ResultLot.NEW: ("result_lot", "the number of the new lot that came out of the rework"),
    ResultLot.EXISTING: ("replacement_lot_id", "the unaffected lot whose units replaced these"),
}


def _witness_faults(rule: Rule, facts: PartFacts) -> list[Fault]:
    if not rule.witness:
        return [Fault("witness", "only destruction has a witness")] if facts.witness else []
    if not facts.witness or not facts.witness.strip():
        return [Fault("witness", "who witnessed the destruction")]
    if facts.witness.strip().casefold() == facts.done_by.strip().casefold():
        return [Fault("witness", "another person than the one who records the destruction")]
    return []


class Capacity(StrEnum):
    """In which capacity somebody signs a release (the gate needs both, by two persons)."""

    QUALITY = "quality"
    HEAD_OF_QUALITY = "head_of_quality"


MEANINGS: Final[Mapping[Capacity, str]] = MappingProxyType(
    {
        Capacity.QUALITY: "I have reviewed the evidence; these units conform and may be used",
        Capacity.HEAD_OF_QUALITY: "I release these units from the hold as head of quality",
    }
)
"""What each release signature means (21 CFR 11.50)."""


def capacity_of(*, approver: bool, head: bool, signed: frozenset[Capacity]) -> Capacity | None:
    """The capacity in which the next signature of a release counts; None when the signer cannot fill an open one.

    The head of quality may also sign for quality, but the head's own signature is never replaced by somebody else's.
    """
    if head and Capacity.HEAD_OF_QUALITY not in signed:
        return Capacity.HEAD_OF_QUALITY
    if (approver or head) and Capacity.QUALITY not in signed:
        return Capacity.QUALITY
    return None


__all__ = [
    "MEANINGS",
    "RULES",
    "Capacity",
    "DispositionKind",
    "Fault",
    "PartFacts",
    "ResultLot",
    "Rule",
    "capacity_of",
    "part_faults",
    "place_fault",
]
