"""Reading regulation profiles: which is in force, their versions, their texts, what differs between two."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import ReaderDep, StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.policy_views import change_out, policy_items, version_item, version_out
from api.problems import Problem, problems
from db.repositories import policy_versions as versions
from domain.policy import Policy
from domain.policy_diff import policy_diff
from models.policy_version import PolicyVersion
from models.schemas_common import Page
from models.schemas_policies import PolicyDiffOut, PolicyItem, PolicyVersionItem, PolicyVersionOut

router = APIRouter(prefix="/policies", tags=["policies"])
PolicyId = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", max_length=64, description="Profile.", examples=["us-fda"])
]
Version = Annotated[int, Path(ge=1, le=1_000_000, description="Version of the profile.", examples=[2])]
_READING = problems("unauthenticated", "not_permitted", "not_found", "invalid")


@router.get(
    "",
    operation_id="listPolicies",
    summary="List regulation profiles",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "invalid"),
)
async def list_policies(_: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None) -> Page[PolicyItem]:
    """Each profile with the version in force today and those on their way, by id."""
    name = listing_name("policies")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await versions.of_profiles(session, after=str(after[0]) if after else None, limit=limit + 1)
    items = policy_items(rows, state.now().date())
    return page_of(items, limit, lambda item: item, lambda item: state.cursors.write(name, [item.id]))


@router.get(
    "/{policy_id}/versions",
    operation_id="listPolicyVersions",
    summary="List the versions of a profile",
    responses=problems("bad_cursor", "unauthenticated", "not_permitted", "not_found", "invalid"),
)
async def list_versions(
    policy_id: PolicyId, _: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None
) -> Page[PolicyVersionItem]:
    """Every version there ever was, the oldest first, with who wrote, reviewed and approved it."""
    name = listing_name("policy-versions", policy=policy_id)
    after = state.cursors.read(name, cursor)
    place = (policy_id, int(after[0])) if after else None
    async with state.sessions() as session:
        rows = await versions.listed(session, policy_id=policy_id, after=place, limit=limit + 1)
    if not rows and place is None:
        raise _unknown(policy_id)
    day = state.now().date()
    return page_of(
        rows, limit, lambda row: version_item(row, day), lambda row: state.cursors.write(name, [row.version])
    )


@router.get(
    "/{policy_id}/versions/{version}",
    operation_id="readPolicyVersion",
    summary="Read one version as data",
    responses=_READING,
)
async def read_version(policy_id: PolicyId, version: Version, _: ReaderDep, state: StateDep) -> PolicyVersionOut:
    """The profile as data, its hash, and where it stands in change control."""
    async with state.sessions() as session:
        return version_out(await find_version(session, policy_id, version), state.now().date())


@router.get(
    "/{policy_id}/versions/{version}/text",
    operation_id="readPolicyText",
    summary="Read one version as YAML",
    response_class=PlainTextResponse,
    responses=_READING | {200: {"content": {"application/yaml": {}}, "description": "The YAML with its comments."}},
)
async def read_text(policy_id: PolicyId, version: Version, _: ReaderDep, state: StateDep) -> PlainTextResponse:
    """The YAML as submitted, with its comments: what to edit for the next version."""
    async with state.sessions() as session:
        row = await find_version(session, policy_id, version)
    return PlainTextResponse(row.text, media_type="application/yaml")


@router.get(
    "/{policy_id}/versions/{version}/diff",
    operation_id="diffPolicyVersion",
    summary="What changes with a version",
    responses=_READING,
)
async def diff_version(
    policy_id: PolicyId,
    version: Version,
    _: ReaderDep,
    state: StateDep,
    against: Annotated[int | None, Query(ge=1, le=1_000_000, description="Version to compare with.")] = None,
) -> PolicyDiffOut:
    """Every difference in plain words, in English and Chinese.

    Without `against`: compared with the version in force, or for that one with the version it was made from.
    """
    async with state.sessions() as session:
        row = await find_version(session, policy_id, version)
        other = await _other(session, row, against)
    if other is None:
        raise Problem("not_found", f"There is no version to compare {policy_id} version {version} with.")
    old, new = Policy.from_pinned(other.body), Policy.from_pinned(row.body)
    changes = await asyncio.to_thread(policy_diff, old, new)
    return PolicyDiffOut(
        policy_id=policy_id, before=other.version, after=version, changes=[change_out(each) for each in changes]
    )


async def _other(session: AsyncSession, row: PolicyVersion, against: int | None) -> PolicyVersion | None:
    if against is not None:
        return await find_version(session, row.policy_id, against)
    current = await versions.find(session, row.policy_id)
    if current is not None and current.version != row.version:
        return current
    return None if row.based_on is None else await versions.find(session, row.policy_id, row.based_on)


async def find_version(session: AsyncSession, policy_id: str, version: int) -> PolicyVersion:
    """One version.

    Raises:
        Problem: 404 there is none.
    """
    row = await versions.find(session, policy_id, version)
    if row is None:
        raise Problem("not_found", f"There is no version {version} of the profile {policy_id}.")
    return row


def _unknown(policy_id: str) -> Problem:
    return Problem("not_found", f"No profile {policy_id} is on record.")


__all__ = ["PolicyId", "Version", "find_version", "router"]
