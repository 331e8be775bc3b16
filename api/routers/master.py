"""Small readings beside the recalls: products by code or name, and who the token says you are."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import PrincipalDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from db.repositories import products_read
from domain.roles import permissions_of
from models.schemas_common import Filter, Page
from models.schemas_records import MeOut, ProductOut

router = APIRouter(tags=["master data"])


@router.get(
    "/products",
    operation_id="listProducts",
    summary="List products",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_products(
    _: ReaderDep,
    state: StateDep,
    q: Annotated[Filter | None, Query(description="Part of code, name, family or brand.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ProductOut]:
    """Products of the master data, by id."""
    name = listing_name("products", q=q)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await products_read.list_products(session, part=q, after=after[0] if after else None, limit=limit + 1)
    return page_of(
        rows,
        limit,
        lambda row: ProductOut.model_validate(row, from_attributes=True),
        lambda row: state.cursors.write(name, [row.id]),
    )


@router.get("/me", operation_id="readMe", summary="Who am I", responses=problems("unauthenticated"))
async def read_me(principal: PrincipalDep) -> MeOut:
    """The caller's name, roles and permissions."""
    return MeOut(
        principal=principal.name,
        roles=[role.value for role in principal.roles],
        permissions=sorted(each.value for each in permissions_of(principal.roles)),
    )


__all__ = ["router"]
