"""Places of the master data as a list, each with the partner it belongs to."""

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories.recalls_read import like_pattern
from models.master import Custody, Location, Partner


async def list_locations(
    session: AsyncSession, *, part: str | None, custody: Custody | None, after: int | None, limit: int
) -> list[tuple[Location, Partner]]:
    """Places by id; `part` occurs in the code, name or GLN of the place or its partner."""
    query = select(Location, Partner).join(Partner, col(Partner.id) == col(Location.partner_id))
    if part:
        pattern = like_pattern(part)
        fields = (Location.code, Location.name, Location.gln, Partner.code, Partner.name, Partner.gln)
        query = query.where(or_(*(col(field).ilike(pattern, escape="\\") for field in fields)))
    if custody is not None:
        query = query.where(col(Location.custody) == custody.value)
    if after is not None:
        query = query.where(col(Location.id) > after)
    return [(place, partner) for place, partner in await session.exec(query.order_by(col(Location.id)).limit(limit))]


__all__ = ["list_locations"]
