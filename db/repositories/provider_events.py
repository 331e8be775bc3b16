"""Delivery reports of providers: every one is kept, and a delivery's state only ever rises.

The address a provider reports to carries our delivery id, so the first report also heals a delivery whose
acceptance we never saw (design §6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, merging, recalls
from db.repositories.deliveries import fail_left, note_submitted
from db.repositories.deliveries_sql import APPLY_REPORT, KEEP_EVENT, LOCK_REPORTED
from domain.delivery_states import failure_kind, rises, state_of_report

_HANDED_OVER = frozenset({"submitted", "delivered", "failed"})


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a report did."""

    known: bool
    """False: no delivery of ours has this id; nothing was kept."""
    repeated: bool = False
    state: str | None = None
    """The delivery's state afterwards."""
    recall_number: str | None = None
    campaign_sequence: int | None = None
    nudge_due: bool = False
    """The notice did not arrive: its campaign should look for another way now."""


async def record_provider_event(
    session: AsyncSession,
    *,
    provider: str,
    provider_id: str,
    delivery_id: UUID | None,
    status: str,
    error_code: str | None,
    at: datetime,
) -> ProviderEvent:
    """Keep a report and raise the delivery it speaks of; repeats and late reports change nothing.

    Without `delivery_id` the report is matched by an earlier one about the same message, or only kept.
    """
    if delivery_id is None:
        delivery_id = await _delivery_of(session, provider, provider_id)
    row = await _locked(session, delivery_id) if delivery_id else None
    if delivery_id is not None and row is None:
        return ProviderEvent(known=False)
    kept = await run(
        session,
        KEEP_EVENT,
        {
            "delivery": delivery_id,
            "provider": provider,
            "provider_id": provider_id,
            "status": status,
            "error_code": error_code,
            "at": at,
        },
    )
    repeated = kept.scalar_one_or_none() is None
    if row is None:
        return ProviderEvent(known=False, repeated=repeated)
    state = state_of_report(status)
    if repeated or state is None:
        return _outcome(row, row["state"], repeated=repeated)
    concerned = await _concerned(session, row)
    if not concerned or not _applies(concerned[0], state, provider_id):
        return _outcome(row, row["state"])
    told = _Told(provider_id, state, failure_kind(status), error_code or f"{provider}:{status}"[:40])
    gone = await _apply(session, row, concerned, told, at)
    state = "failed" if row["id"] in gone else state
    return _outcome(row, state, nudge_due=bool(gone) or state == "failed")


async def _concerned(session: AsyncSession, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the report changes first; what that carries follows it.

    Whoever has left a site is not told there, whatever arrives. But they may read for others, of which the message
    speaks as well: what became of it counts there.
    """
    if not row["gone"]:
        return [row]
    return await merging.standing(session, row["id"]) if row["leads"] else []


def _applies(row: dict[str, Any], state: str, provider_id: str) -> bool:
    # After a resend two messages carry one delivery id: the failure of one does not undo the other.
    of_another_message = row["provider_id"] not in (None, provider_id)
    return rises(row["state"], state) and not (state == "failed" and of_another_message)


@dataclass(frozen=True, slots=True)
class _Told:
    """A report that changes a delivery."""

    provider_id: str
    state: str
    error_kind: str
    error_code: str


async def _apply(
    session: AsyncSession, row: dict[str, Any], concerned: Sequence[dict[str, Any]], told: _Told, at: datetime
) -> list[UUID]:
    """Write the report to all it concerns; returns what is given up because its reader left before we heard of it."""
    state, provider_id, error_code = told.state, told.provider_id, told.error_code if told.state == "failed" else None
    ids = [each["id"] for each in concerned]
    values = {"ids": ids, "state": state, "provider_id": provider_id, "error_code": error_code, "at": at}
    before = concerned[0]["state"]
    healed, gone = before not in _HANDED_OVER, list[UUID]()
    if healed or state == "failed":
        # A mail that came back is bound to the recall afterwards, and whoever decides about it locks that first.
        # So does whoever goes on to the consignees of a message that is healed here.
        await recalls.share(session, [row["number"]])
    await run(session, APPLY_REPORT, values | {"error_kind": told.error_kind})
    if row["leads"] and not row["gone"]:
        ids += [each for _, each in await merging.follow(session, [row["id"]])]
    carried = [each for each in ids if each != row["id"]]
    if healed:
        gone = await fail_left(session, ids, at)
        source = f"campaign {row['campaign']}, {row['channel']}"
        await note_submitted(session, row["number"], ids, source, at)
    # An arrival is proven by its kept report; the audit speaks of what changes the course of the campaign.
    if healed or state == "failed":
        await audit.append(
            session,
            row["number"],
            actor="provider",
            role="provider",
            action="delivery.reported",
            at=at,
            data={
                "delivery": row["id"],
                "from": before,
                "to": state,
                "provider_id": provider_id,
                "error_code": error_code,
                **({"carried": sorted(map(str, carried))} if carried else {}),
                **({"left": sorted(map(str, gone))} if gone else {}),
            },
        )
    return gone


def _outcome(row: dict[str, Any], state: str, *, repeated: bool = False, nudge_due: bool = False) -> ProviderEvent:
    return ProviderEvent(
        known=True,
        repeated=repeated,
        state=state,
        recall_number=row["number"],
        campaign_sequence=row["sequence"],
        nudge_due=nudge_due,
    )


async def _delivery_of(session: AsyncSession, provider: str, provider_id: str) -> UUID | None:
    found = await run(
        session,
        "SELECT delivery_id FROM delivery_event WHERE provider = :provider AND provider_id = :provider_id"
        " AND delivery_id IS NOT NULL LIMIT 1",
        {"provider": provider, "provider_id": provider_id},
    )
    return found.scalar_one_or_none()


async def _locked(session: AsyncSession, delivery_id: UUID) -> dict[str, Any] | None:
    found = (await run(session, LOCK_REPORTED, {"delivery": delivery_id})).mappings().one_or_none()
    return None if found is None else dict(found)
