"""Deciding dispositions: approved or rejected by another person than the proposer, withdrawn as far as nothing is done.

Every decision is a signature with its meaning. A release needs two of them and goes through the release gate.
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import approvals, assessment, release
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.dispositions import facts_of, locked, note
from db.rows import uuid_of
from domain.disposition import DispositionKind
from domain.policy_approvals import USUAL, ApprovalStep
from domain.roles import violates_four_eyes
from models.disposition import Disposition, DispositionState


async def approve(
    session: AsyncSession, number: str, sequence: int, who: Who, *, roles: Sequence[str], reason: str | None
) -> Disposition:
    """Approve a proposal; a release needs two persons in two capacities and is approved by the second.

    Raises:
        DisposalRefused: not proposed any more, the proposer decides, or nobody's signature is missing.
    """
    found = await locked(session, number, sequence)
    if any(row.body.get("request") == who.request for row in await release.signatures(session, found)):
        return found
    _undecided(found)
    _four_eyes(found, who)
    if found.kind == DispositionKind.release.value:
        complete = await release.sign(session, found, who, roles, reason)
    else:
        complete = await _sign_in_turn(session, found, who, roles, reason)
    if complete:
        _decide(found, DispositionState.approved, who, reason)
    session.add(found)
    release_only = found.kind == DispositionKind.release.value
    partly = "disposition.release_signed" if release_only else "disposition.signed"
    action = "disposition.approved" if complete else partly
    await note(session, number, action, who, [facts_of(found)], reason)
    return found


async def reject(session: AsyncSession, number: str, sequence: int, who: Who, reason: str) -> Disposition:
    """Reject a proposal; its units are open again.

    Raises:
        DisposalRefused: not proposed any more, or the proposer decides.
    """
    found = await locked(session, number, sequence)
    if found.decided_by == who.principal and found.state == DispositionState.rejected.value:
        return found
    _undecided(found)
    _four_eyes(found, who)
    await _sign(session, found, who, "rejected", "I do not accept this disposition", reason)
    _decide(found, DispositionState.rejected, who, reason)
    session.add(found)
    await note(session, number, "disposition.rejected", who, [facts_of(found)], reason)
    return found


async def withdraw(session: AsyncSession, number: str, sequence: int, who: Who, reason: str) -> Disposition:
    """Take back what is not carried out yet; what is carried out stands.

    Raises:
        DisposalRefused: nothing is left to withdraw.
    """
    found = await locked(session, number, sequence)
    if found.state not in (DispositionState.proposed.value, DispositionState.approved.value):
        if found.state == DispositionState.withdrawn.value:
            return found
        raise DisposalRefused("already_decided", f"The disposition {sequence} is {found.state}.")
    if found.done > 0:
        # What was carried out is the whole of it now; the rest is open again.
        found.quantity, found.state = found.done, DispositionState.done.value
    else:
        found.state = DispositionState.withdrawn.value
    session.add(found)
    await note(session, number, "disposition.withdrawn", who, [facts_of(found)], reason)
    return found


async def _sign_in_turn(
    session: AsyncSession, found: Disposition, who: Who, roles: Sequence[str], reason: str | None
) -> bool:
    """Sign for the function that is next; True when nobody else has to."""
    beside = (await approvals.beside(session, found.recall_number, [found])).of(found)
    given = [row for row in await release.signatures(session, found) if row.outcome in ("signed", "approved")]
    if any(violates_four_eyes(row.actor, who.principal) for row in given):
        raise DisposalRefused(
            "four_eyes", f"{who.principal} has signed already; the next signature is another person's."
        )
    left = approvals.missing_roles((*USUAL[ApprovalStep.DISPOSITION], *beside), [row.body["for"] for row in given])
    role = left[0] if left else USUAL[ApprovalStep.DISPOSITION][0]
    if beside and not approvals.covers(roles, role):
        raise DisposalRefused("not_permitted", f"The next signature is due from {role.value}, or its head.")
    complete = len(left) <= 1
    outcome = "approved" if complete else "signed"
    await _sign(
        session, found, who, outcome, "I have reviewed and accept this disposition", reason, counts_for=role.value
    )
    return complete


def _undecided(found: Disposition) -> None:
    if found.state != DispositionState.proposed.value:
        raise DisposalRefused("already_decided", f"The disposition {found.sequence} is {found.state}.")


def _four_eyes(found: Disposition, who: Who) -> None:
    if violates_four_eyes(found.proposed_by, who.principal):
        raise DisposalRefused("four_eyes", f"{found.proposed_by} proposed it; another person must decide.")


def _decide(found: Disposition, state: DispositionState, who: Who, reason: str | None) -> None:
    found.state, found.decided_by, found.decided_at, found.decision_reason = state.value, who.principal, who.at, reason
    found.signature_id = uuid_of(who.signature)


async def _sign(
    session: AsyncSession,
    found: Disposition,
    who: Who,
    outcome: str,
    meaning: str,
    reason: str | None,
    *,
    counts_for: str | None = None,
) -> None:
    sign_off = assessment.sign_off(
        found.recall_number,
        release.step_of(found),
        outcome,
        actor=who.principal,
        role=who.role,
        meaning=meaning,
        at=who.at,
        reason=reason,
        body=release.body_of(found) | {"request": who.request} | ({"for": counts_for} if counts_for else {}),
        signature=who.signature,
    )
    await assessment.sign(session, sign_off)


__all__ = ["approve", "reject", "withdraw"]
