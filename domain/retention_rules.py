"""When the file of a recall may be deleted: after its retention date, with nothing that still needs it.

Authorities say how long a file is kept at least (21 CFR 806.20(c), MDR Art. 10(8)); a legal hold (litigation, an
inspection) keeps it longer. Deletion is never automatic: one person asks for it, the head of quality signs.
"""

from dataclasses import dataclass
from datetime import date

from domain.phases import Phase, is_final


@dataclass(frozen=True, slots=True)
class FileStanding:
    """What decides whether a file may go."""

    phase: Phase
    keep_until: date | None
    """The latest retention date of the pinned policies; None when no policy gave one."""
    legal_holds: tuple[str, ...] = ()
    """References of the legal holds in force."""
    holds_open: int = 0
    """Positions this recall, or the nonconformity it became, still locks."""
    capas_open: int = 0
    supplier_requests_open: int = 0
    """Corrective action asked of suppliers for its CAPAs, and not closed or withdrawn."""
    complaints_open: int = 0
    obligations_open: int = 0
    cited_by: tuple[str, ...] = ()
    """Other recalls that cite evidence of this one."""
    capa_serves: tuple[str, ...] = ()
    """Other recalls whose CAPA is merged into one of this."""


def reasons_to_keep(standing: FileStanding, today: date) -> tuple[str, ...]:
    """Why the file must stay, in plain words; empty when it may be deleted."""
    found = []
    if not is_final(standing.phase):
        found.append(f"the recall has not ended (phase {standing.phase.value})")
    if standing.keep_until is None:
        found.append("no pinned policy gives a retention date")
    elif today <= standing.keep_until:
        found.append(f"it is kept until {standing.keep_until.isoformat()}")
    found += [f"legal hold {reference}" for reference in standing.legal_holds]
    counted = (
        (standing.holds_open, "positions are still locked"),
        (standing.capas_open, "CAPA are not closed"),
        (standing.supplier_requests_open, "requests to suppliers are not closed"),
        (standing.complaints_open, "complaints are open"),
        (standing.obligations_open, "reports to authorities are still owed"),
    )
    found += [f"{count} {what}" for count, what in counted if count]
    if standing.cited_by:
        found.append(f"its evidence is cited by {', '.join(standing.cited_by)}")
    if standing.capa_serves:
        found.append(f"its CAPA answers for {', '.join(standing.capa_serves)}")
    return tuple(found)


__all__ = ["FileStanding", "reasons_to_keep"]
