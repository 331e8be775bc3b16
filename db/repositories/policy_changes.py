"""Change control of regulation profiles: each step moves one version on, in one transaction with its audit event.

A step names the content it is about (its hash), so that nobody reviews or approves what was replaced meanwhile. Author,
reviewer and approver are three people; the database checks that again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NoReturn

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import policy_versions as versions
from domain.policy import Policy, policy_hash
from domain.policy_versions import VersionState, renumbered, same_person, submission_faults
from models.policy_version import PolicyVersion

_S = VersionState
_OPEN: Final = (_S.DRAFT, _S.REVIEWED, _S.APPROVED)


class ChangeRefused(Exception):  # noqa: N818 - a term of change control
    """A step that cannot be taken; `kind` is one of `api.problems.KINDS`, each fault begins with its path."""

    def __init__(self, kind: str, detail: str, faults: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class By:
    """Who takes a step, in which function, and when."""

    person: str
    role: str
    at: datetime
    signature: str | None = None
    """Id of the electronic signature this step rests on."""


async def submit(session: AsyncSession, policy: Policy, text: str, note: str, by: By) -> PolicyVersion:
    """A new draft: the next version of its profile, or the first one of a new profile.

    Raises:
        ChangeRefused: `invalid` with the path of each fault; it must have the next version number.
    """
    await versions.lock(session)
    newest = await versions.newest(session, policy.id)
    if faults := submission_faults(policy, newest):
        raise ChangeRefused("invalid", "The profile cannot be the next version; see `errors`.", faults)
    return await _add(session, policy, text, note, by, "policy.submitted")


async def _add(
    session: AsyncSession, policy: Policy, text: str, note: str, by: By, action: str, rollback_to: int | None = None
) -> PolicyVersion:
    current = await versions.in_force(session, policy.id, by.at.date())
    row = PolicyVersion(
        policy_id=policy.id,
        version=policy.version,
        state=_S.DRAFT.value,
        shipped=False,
        body=policy.pinned(),
        text=text,
        sha256=policy_hash(policy),
        note=note,
        based_on=current.version if current else None,
        rollback_to=rollback_to,
        authored_by=by.person,
        authored_at=by.at,
    )
    session.add(row)
    await session.flush()
    more = {"based_on": row.based_on} | ({"rollback_to": rollback_to} if rollback_to is not None else {})
    await versions.note(session, row, action, actor=by.person, role=by.role, at=by.at, reason=note, **more)
    return row


async def replace(
    session: AsyncSession, policy_id: str, version: int, policy: Policy, text: str, note: str, by: By
) -> PolicyVersion:
    """Another content for a draft of one's own.

    Raises:
        ChangeRefused: it is no draft, somebody else's, or the text is of another profile or version.
    """
    row = await _locked(session, policy_id, version)
    _need(row, "replaced", _S.DRAFT)
    if not same_person(by.person, [row.authored_by]):
        raise ChangeRefused("four_eyes", f"Only {row.authored_by}, who wrote this draft, may replace it.")
    if (policy.id, policy.version) != (policy_id, version):
        given = f"{policy.id} version {policy.version}"
        fault = f"version: expected {policy_id} version {version}, got {given}"
        raise ChangeRefused("invalid", "The text is of another profile or version; see `errors`.", [fault])
    before, row.sha256 = row.sha256, policy_hash(policy)
    row.body, row.text, row.note, row.authored_at = policy.pinned(), text, note, by.at
    await _keep(session, row, "policy.replaced", by, reason=note, before=before)
    return row


async def review(session: AsyncSession, policy_id: str, version: int, sha256: str, by: By) -> PolicyVersion:
    """Somebody other than the author has read the draft and found it right."""
    row = await _locked(session, policy_id, version)
    _need(row, "reviewed", _S.DRAFT)
    _need_hash(row, sha256)
    if same_person(by.person, [row.authored_by]):
        raise ChangeRefused("four_eyes", "Somebody other than the author must review this version.")
    row.state, row.reviewed_by, row.reviewed_at = _S.REVIEWED.value, by.person, by.at
    row.review_signature = by.signature
    await _keep(session, row, "policy.reviewed", by)
    return row


async def send_back(session: AsyncSession, policy_id: str, version: int, reason: str, by: By) -> PolicyVersion:
    """A reviewed version becomes a draft again, with what is to be changed."""
    row = await _locked(session, policy_id, version)
    _need(row, "sent back", _S.DRAFT, _S.REVIEWED)
    if same_person(by.person, [row.authored_by]):
        raise ChangeRefused("four_eyes", "Somebody other than the author must send this version back.")
    reviewed_by = row.reviewed_by
    row.state, row.reviewed_by, row.reviewed_at, row.review_signature = _S.DRAFT.value, None, None, None
    await _keep(session, row, "policy.sent_back", by, reason=reason, reviewed_by=reviewed_by)
    return row


async def approve(session: AsyncSession, policy_id: str, version: int, sha256: str, by: By) -> PolicyVersion:
    """A third person, neither author nor reviewer, approves the reviewed version."""
    row = await _locked(session, policy_id, version)
    _need(row, "approved", _S.REVIEWED)
    _need_hash(row, sha256)
    if same_person(by.person, [row.authored_by, row.reviewed_by]):
        raise ChangeRefused("four_eyes", "Somebody other than author and reviewer must approve this version.")
    row.state, row.approved_by, row.approved_at = _S.APPROVED.value, by.person, by.at
    row.approval_signature = by.signature
    await _keep(session, row, "policy.approved", by, reviewed_by=row.reviewed_by)
    return row


async def withdraw(
    session: AsyncSession, policy_id: str, version: int, reason: str, by: By, *, any_author: bool
) -> PolicyVersion:
    """A version that never came into force is given up: by its author, or by whoever may approve (`any_author`)."""
    row = await _locked(session, policy_id, version)
    _need(row, "withdrawn", *_OPEN)
    if not any_author and not same_person(by.person, [row.authored_by]):
        raise ChangeRefused("not_permitted", f"Only {row.authored_by} or who approves policies may withdraw it.")
    before, row.state = row.state, _S.WITHDRAWN.value
    row.withdrawn_by, row.withdrawn_at = by.person, by.at
    await _keep(session, row, "policy.withdrawn", by, reason=reason, before=before)
    return row


async def activate(
    session: AsyncSession, policy_id: str, version: int, sha256: str, day: date, by: By
) -> PolicyVersion:
    """Put an approved version in force from `day`; the one before is superseded on that day.

    Recalls that run keep what they are pinned to. The day is one of UTC, today or later. A version scheduled for a
    later day never comes into force then, and whatever was to hold until that day ends on this one.

    Raises:
        ChangeRefused: it is not approved, older than what is in force, or the day is not one it is valid on.
    """
    await versions.lock(session)
    row = await _locked(session, policy_id, version)
    _need(row, "put in force", _S.APPROVED)
    _need_hash(row, sha256)
    _need_day(Policy.from_pinned(row.body), day, by.at.date())
    holding = col(PolicyVersion.state) == _S.IN_FORCE.value
    outlasting = (col(PolicyVersion.state) == _S.SUPERSEDED.value) & (col(PolicyVersion.superseded_from) > day)
    query = select(PolicyVersion).where(col(PolicyVersion.policy_id) == policy_id, holding | outlasting)
    before = (await session.exec(query.order_by(col(PolicyVersion.version)).with_for_update())).all()
    if newer := [each.version for each in before if each.version > version]:
        detail = f"Version {max(newer)} is in force already; a rollback makes a new version with the old content."
        raise ChangeRefused("wrong_state", detail)
    for each in before:
        each.state, each.superseded_from, each.superseded_by = _S.SUPERSEDED.value, day, version
        await _keep(session, each, "policy.superseded", by, superseded_from=day, superseded_by=version)
    row.state, row.in_force_from = _S.IN_FORCE.value, day
    row.activated_by, row.activated_at, row.activation_signature = by.person, by.at, by.signature
    await _keep(session, row, "policy.in_force", by, in_force_from=day, approved_by=row.approved_by)
    return row


async def rollback(session: AsyncSession, policy_id: str, to: int, note: str, by: By) -> PolicyVersion:
    """A new draft with the content of an earlier version; it goes through review and approval like any other.

    Raises:
        ChangeRefused: `not_found`, `wrong_state` when that version was never in force, `invalid` when its text
            cannot be renumbered.
    """
    await versions.lock(session)
    old = await _locked(session, policy_id, to)
    _need(old, "brought back", _S.IN_FORCE, _S.SUPERSEDED)
    current = await versions.in_force(session, policy_id, by.at.date())
    if current is not None and current.version == to:
        raise ChangeRefused("wrong_state", f"Version {to} is in force now.")
    number = (await versions.newest(session, policy_id) or 0) + 1
    text = renumbered(old.text, number)
    policy = Policy.from_pinned(old.body | {"version": number})
    return await _add(session, policy, text, note, by, "policy.rollback_drafted", rollback_to=to)


async def _locked(session: AsyncSession, policy_id: str, version: int) -> PolicyVersion:
    row = await versions.find(session, policy_id, version, lock=True)
    if row is None:
        raise ChangeRefused("not_found", f"There is no version {version} of {policy_id}.")
    return row


def _need(row: PolicyVersion, what: str, *states: VersionState) -> None:
    if row.state not in states:
        names = " or ".join(state.value.replace("_", " ") for state in states)
        now = row.state.replace("_", " ")
        detail = f"{row.policy_id} version {row.version} is {now}; only what is {names} can be {what}."
        raise ChangeRefused("wrong_state", detail)


def _need_hash(row: PolicyVersion, sha256: str) -> None:
    if row.sha256 != sha256:
        raise ChangeRefused("hash_mismatch", f"The content was replaced; its hash is now {row.sha256}. Read it again.")


def _need_day(policy: Policy, day: date, today: date) -> None:
    def refuse(detail: str) -> NoReturn:
        raise ChangeRefused("invalid", "The day cannot be; see `errors`.", [f"from_day: {detail}"])

    if day < today:
        refuse(f"expected today ({today}, UTC) or later, got {day}")
    if not policy.in_force(day):
        until = f" to {policy.valid_to}" if policy.valid_to else ""
        refuse(f"the profile is valid from {policy.valid_from}{until}, not on {day}")


async def _keep(
    session: AsyncSession, row: PolicyVersion, action: str, by: By, reason: str | None = None, **data: object
) -> None:
    session.add(row)
    await session.flush()
    signed = {"signature": by.signature} if by.signature else {}
    more = {**signed, **data}
    await versions.note(session, row, action, actor=by.person, role=by.role, at=by.at, reason=reason, **more)


__all__ = [
    "By",
    "ChangeRefused",
    "activate",
    "approve",
    "replace",
    "review",
    "rollback",
    "send_back",
    "submit",
    "withdraw",
]
