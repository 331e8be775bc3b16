"""A short answer (a text, a mail) to a message that was for several sites: which of them it speaks for.

That the notice arrived is said for all of its sites, and so is that none of them has anything left; which of them has
stock is not. Each site gets a reply of its own, so that an answer is always one consignee's. They are recorded one by
one and before the answer itself is kept: whatever dies in between, the message comes again, and nothing counts twice.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import merging
from db.repositories.senders import InboundMatch
from models.replies import SmsReply

_OPEN: Final = "open"


async def speaks_for_all(session: AsyncSession, matches: Sequence[InboundMatch]) -> bool:
    """Whether whoever the answer may come from is told of by the one message it answers, or has been heard of.

    Args:
        matches: consignees behind a telephone or address, the one written to last first.
    """
    first = matches[0]
    if any(each.recall_number != first.recall_number for each in matches):
        return False
    if first.delivery_id is None:
        return False
    told = {site.consignee_id for site in await _sites(session, first.delivery_id)} or {first.consignee_id}
    return all(each.consignee_id in told or each.state != _OPEN for each in matches)


async def for_other_sites(session: AsyncSession, answer: SmsReply) -> list[SmsReply]:
    """The same answer for each other site of the answered message that has said nothing yet; empty where it says no
    more than one site can say (harm, a call back, something a person has to read)."""
    if not answer.acknowledges:
        return []
    said = await as_said(session, answer)
    return [
        said.model_copy(
            update={
                "consignee_id": site.consignee_id,
                "contact_id": site.contact_id,
                "delivery_id": site.delivery_id,
                "provider_id": f"{site.consignee_id}:{answer.provider_id}",
                # The words stand in one reply only: what they tell of, somebody harmed for one, happened once.
                "body": f"as answered for consignee {answer.consignee_id}",
                "harm": False,
                "more": False,
            }
        )
        for site in await _sites(session, answer.delivery_id)
        if site.consignee_id != answer.consignee_id and site.state == _OPEN and not site.gone
    ]


async def as_said(session: AsyncSession, answer: SmsReply) -> SmsReply:
    """The answer without what it cannot say of a single site: that there is stock, where it answers for several."""
    if not answer.affected:
        return answer
    sites = await _sites(session, answer.delivery_id)
    several = any(site.consignee_id != answer.consignee_id and not site.gone for site in sites)
    return answer.model_copy(update={"affected": None}) if several else answer


async def _sites(session: AsyncSession, delivery_id: UUID | None) -> list[merging.Site]:
    return await merging.sites_of(session, delivery_id) if delivery_id is not None else []


__all__ = ["as_said", "for_other_sites", "speaks_for_all"]
