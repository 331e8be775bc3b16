"""Handing a campaign its consignees when its notice is approved: by what has changed since the last notice sent.

Whoever got a lot is open again from the first step and answers for its whole current list. Whoever only lost lots goes
on where it stands: an open chase for what is left, an answer that stays. Whoever lost all lots is told so once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.campaign_targets_sql import COUNT, HAND_OVER, TAKE_ALL
from db.repositories.withdrawals import withdraw_everybody
from models.notice import Notice

PRIORITY: Final = {"I": 1, "II": 3, "III": 5}
"""As the campaign's own messages: class I is served first."""


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign that was created just now."""

    id: int
    sequence: int
    notice: Notice
    recall_class: str | None
    channels: Sequence[str]


async def hand_over(session: AsyncSession, campaign: NewCampaign, now: datetime) -> dict[str, int]:
    """Give the campaign its consignees and write what is sent beside the ladder; returns counts for the audit."""
    notice = campaign.notice
    number = notice.recall_number
    if notice.kind == "initial":
        facts = {"number": number, "sequence": campaign.sequence, "version": notice.scope_version}
        await run(session, TAKE_ALL, facts)
        return {}
    gone = await withdraw_everybody(session, number, now, by="system") if _whole(notice) else []
    counts = await run(
        session,
        HAND_OVER,
        _facts(notice, gone)
        | {
            "campaign": campaign.id,
            "sequence": campaign.sequence,
            "notice": notice.id,
            "priority": PRIORITY.get(campaign.recall_class or "I", 1),
            "channels": list(campaign.channels),
            "now": now,
        },
    )
    found = dict(counts.mappings().one())
    del found["moved"]
    return found


async def audience(session: AsyncSession, notice: Notice) -> int:
    """Consignees that a campaign of this notice would address, as the record stands now."""
    if notice.kind == "initial":
        query = "SELECT count(*) FROM consignee WHERE recall_number = :number AND state <> 'withdrawn'"
        return int((await run(session, query, {"number": notice.recall_number})).scalar_one())
    return int((await run(session, COUNT, _facts(notice, []))).scalar_one())


def _whole(notice: Notice) -> bool:
    return notice.kind == "retraction" and bool((notice.change or {}).get("whole"))


def _facts(notice: Notice, gone: Sequence[int]) -> dict[str, Any]:
    change = notice.change or {}
    return {
        "number": notice.recall_number,
        "since": change.get("since", 0),
        "version": notice.scope_version,
        "reclassified": change.get("class") is not None,
        "retraction": notice.kind == "retraction",
        "closure": notice.kind == "closure",
        "whole": _whole(notice),
        "gone": list(gone),
    }


__all__ = ["PRIORITY", "NewCampaign", "audience", "hand_over"]
