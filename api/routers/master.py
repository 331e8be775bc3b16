"""Small readings beside the recalls: products and places by code or name, and who the token says you are."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import PrincipalDep, ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from db.repositories import locations_read, products_read
from domain.roles import permissions_of
from models.master import Custody, Location, Partner
from models.schemas_common import Filter, Page
from models.schemas_records import LocationOut, MeOut, ProductOut

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


@router.get(
    "/locations",
    operation_id="listLocations",
    summary="List places",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_locations(
    _: ReaderDep,
    state: StateDep,
    q: Annotated[Filter | None, Query(description="Part of code, name or GLN of the place or its partner.")] = None,
    custody: Annotated[Custody | None, Query(description="Who locks what lies there.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[LocationOut]:
    """Places of ours, of carriers and of customers, by id: the `location_id` that holds, returns and disposals name."""
    name = listing_name("locations", q=q, custody=custody)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await locations_read.list_locations(
            session, part=q, custody=custody, after=after[0] if after else None, limit=limit + 1
        )
    return page_of(rows, limit, _location, lambda row: state.cursors.write(name, [row[0].id]))


def _location(row: tuple[Location, Partner]) -> LocationOut:
    place, partner = row
    whose = {"partner_code": partner.code, "partner_name": partner.name, "partner_kind": partner.kind}
    return LocationOut.model_validate(place.model_dump() | whose)


@router.get("/me", operation_id="readMe", summary="Who am I", responses=problems("unauthenticated"))
async def read_me(principal: PrincipalDep) -> MeOut:
    """The caller's name, roles and permissions."""
    return MeOut(
        principal=principal.name,
        roles=[role.value for role in principal.roles],
        permissions=sorted(each.value for each in permissions_of(principal.roles)),
    )


__all__ = ["router"]
