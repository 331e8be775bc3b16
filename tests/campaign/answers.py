"""Answers of consignees as the recipient page records them."""

from decimal import Decimal
from itertools import count
from typing import Any

from db.engine import SessionFactory
from db.repositories import replies
from models.replies import PageReply, RecordedReply, StatedLot
from tests.campaign.world import DAY, NUMBER, T0

_forms = count(1)


def stated(lot: int, on_hand: int = 0, used: int = 0, held: int | None = None, passed_on: int = 0) -> StatedLot:
    return StatedLot(
        lot_id=lot,
        on_hand=Decimal(on_hand),
        used=Decimal(used),
        held=Decimal(on_hand if held is None else held),
        passed_on=Decimal(passed_on),
    )


async def answer(db: SessionFactory, consignee: int, *lots: StatedLot, **changes: Any) -> RecordedReply:
    given: dict[str, Any] = {
        "recall_number": NUMBER,
        "consignee_id": consignee,
        "at": T0 + DAY / 2,
        "affected": True,
        "statements": lots,
        "responder_name": "Ann Other",
        "responder_role": "stores",
        "form_id": f"form-{next(_forms):08d}",
    } | changes
    async with db.begin() as session:
        return await replies.record_page_reply(session, PageReply.model_validate(given))
