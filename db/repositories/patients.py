"""A hospital's counts of its patients: exposed, contacted, monitored, replaced; corrections are new rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, cases
from db.repositories.cases import By
from db.repositories.reply_cases import offer_patients
from models.case import CaseReason, PatientFollowUp


class NoHospital(ValueError):  # noqa: N818 - a term of the API
    """Only a hospital has patients to count."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a hospital states, and who says so."""

    number: str
    consignee_id: int
    exposed: int
    contacted: int
    monitored: int
    replaced: int
    final: bool
    channel: str
    stated_by: str | None
    form_id: str


async def record(session: AsyncSession, counts: Counts, by: By) -> PatientFollowUp:
    """Write the counts; final ones end the sub-case, others keep (or make) it open.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        NoHospital: the consignee is none.
    """
    number, consignee_id = counts.number, counts.consignee_id
    consignee = await cases.lock_consignee(session, number, consignee_id)
    if consignee["kind"] != "hospital":
        raise NoHospital(f"the consignee is a {consignee['kind']}: patients are counted by hospitals")
    query = select(PatientFollowUp).where(col(PatientFollowUp.form_id) == counts.form_id)
    known = (await session.exec(query)).one_or_none()
    if known is not None:
        return known
    row = PatientFollowUp(
        recall_number=number,
        consignee_id=consignee_id,
        exposed=counts.exposed,
        contacted=counts.contacted,
        monitored=counts.monitored,
        replaced=counts.replaced,
        final=counts.final,
        channel=counts.channel,
        stated_by=counts.stated_by,
        entered_by=by.actor,
        received_at=by.at,
        form_id=counts.form_id,
    )
    session.add(row)
    await session.flush()
    outcome = f"final counts (statement {row.id})"
    if counts.final:
        await cases.close_tasks(session, number, consignee_id, ["patients"], by, outcome=outcome)
    data = row.model_dump(include={"id", "exposed", "contacted", "monitored", "replaced", "final", "channel"})
    data["consignee"] = consignee_id
    await audit.append(session, number, actor=by.actor, role=by.role, action="patients.counted", at=by.at, data=data)
    if counts.final:
        await cases.close_cases(session, number, consignee_id, [CaseReason.patients], by, outcome=outcome)
    elif await cases.open_case(session, number, consignee_id, CaseReason.patients, by):
        await offer_patients(session, number, consignee_id, consignee["name"], by.at)
    return row


async def listed(session: AsyncSession, consignee_id: int) -> Sequence[PatientFollowUp]:
    """Every statement of counts, the newest last; the newest is the one that counts."""
    query = select(PatientFollowUp).where(col(PatientFollowUp.consignee_id) == consignee_id)
    return (await session.exec(query.order_by(col(PatientFollowUp.id)))).all()


__all__ = ["Counts", "NoHospital", "listed", "record"]
