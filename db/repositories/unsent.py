"""Messages that consignees are not sent any more, whatever the reason: they have answered, left the scope, are done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.deliveries_sql import IN_ORDER

_CANCEL: Final = f"""
WITH waiting AS MATERIALIZED (
    SELECT d.id FROM delivery d
    WHERE d.consignee_id = ANY (CAST(:consignees AS bigint[])) AND d.state = 'pending'
      AND (CAST(:beside AS boolean) OR d.step >= 0)
    {IN_ORDER}
)
UPDATE delivery d SET state = 'cancelled', finished_at = :at FROM waiting WHERE d.id = waiting.id
"""  # noqa: S608 - a constant


async def cancel(session: AsyncSession, consignees: Sequence[int], at: datetime, *, beside: bool = True) -> None:
    """Cancel what waits for the consignees; without `beside` what asks for nothing (an amendment, a copy) still goes.

    What a sender holds at this moment stays as it is: its sender asks before it hands it over.
    """
    if consignees:
        await run(session, _CANCEL, {"consignees": list(consignees), "at": at, "beside": beside})


__all__ = ["cancel"]
