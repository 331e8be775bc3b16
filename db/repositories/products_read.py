"""Products of the master data as a list."""

from collections.abc import Sequence

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories.recalls_read import like_pattern
from models.master import Product


async def list_products(session: AsyncSession, *, part: str | None, after: int | None, limit: int) -> Sequence[Product]:
    """Products by id; `part` occurs in code, name, family or brand."""
    query = select(Product)
    if part:
        pattern = like_pattern(part)
        fields = (Product.code, Product.name, Product.family, Product.brand)
        query = query.where(or_(*(col(field).ilike(pattern, escape="\\") for field in fields)))
    if after is not None:
        query = query.where(col(Product.id) > after)
    return (await session.exec(query.order_by(col(Product.id)).limit(limit))).all()


__all__ = ["list_products"]
