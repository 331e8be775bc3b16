"""Deciding dispositions: approved or rejected by another person than the proposer, withdrawn as far as nothing is done.

Every decision is a signature with its meaning. A release needs two of them and goes through the release gate.
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from db import bulk
from db.repositories import approvals, assessment, inspections, release
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.dispositions import facts_of, locked, locked_all, note
from db.rows import uuid_of
from domain.disposition import DispositionKind
from domain.policy_approvals import USUAL, ApprovalStep
from domain.roles import Role, violates_four_eyes
from models.disposition import Disposition, DispositionState
from models.recall import SignOff


async def approve(
    session: AsyncSession, number: str, sequence: int, who: Who, *, roles: Sequence[str], reason: str | None
) -> Disposition:
    """Approve a proposal; a release needs two persons in two capacities and is approved by the second.

    Raises:
        DisposalRefused: not proposed any more, the proposer decides, or nobody's signature is missing.
    """
    return (await approve_all(session, number, [sequence], who, roles=roles, reason=reason))[0]


async def approve_all(
    session: AsyncSession, number: str, sequences: Sequence[int], who: Who, *, roles: Sequence[str], reason: str | None
) -> list[Disposition]:
    """Approve proposals, all or none, in a few statements however many they are; each gets a sign-off of its own.

    Raises:
        DisposalRefused: as `approve`, naming the disposition.
    """
    found = await locked_all(session, number, sequences)
    given = await release.signatures_of(session, number, sequences)
    before = {
        sequence for sequence, rows in given.items() if any(row.body.get("request") == who.request for row in rows)
    }
    todo = [row for sequence, row in found.items() if sequence not in before]
    for row in todo:
        _undecided(row)
        _four_eyes(row, who)
    await inspections.require(session, number, todo)
    rules = await approvals.beside(session, number, todo)
    signed: list[tuple[Disposition, SignOff, bool]] = []
    for row in todo:
        signs = release.signature_for if row.kind == DispositionKind.release.value else _in_turn
        sign_off, complete = signs(row, given.get(row.sequence, ()), rules.of(row), who, roles, reason)
        if complete:
            _decide(row, DispositionState.approved, who, reason)
        signed.append((row, sign_off, complete))
    await bulk.update_all(session, todo, ("state", "decided_by", "decided_at", "decision_reason", "signature_id"))
    await assessment.sign_all(session, number, [sign_off for _, sign_off, _ in signed])
    for action in ("disposition.approved", "disposition.release_signed", "disposition.signed"):
        if rows := [row for row, _, complete in signed if _action(row, complete=complete) == action]:
            await note(session, number, action, who, [facts_of(row) for row in rows], reason)
    return [found[sequence] for sequence in sequences]


def _action(found: Disposition, *, complete: bool) -> str:
    if complete:
        return "disposition.approved"
    return "disposition.release_signed" if found.kind == DispositionKind.release.value else "disposition.signed"


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
    sign_off = _sign_off(found, who, "rejected", "I do not accept this disposition", reason)
    await assessment.sign(session, sign_off)
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


def _in_turn(
    found: Disposition,
    given: Sequence[SignOff],
    beside: Sequence[Role],
    who: Who,
    roles: Sequence[str],
    reason: str | None,
) -> tuple[SignOff, bool]:
    """The sign-off for the function that is next, and whether nobody else has to sign."""
    given = [row for row in given if row.outcome in ("signed", "approved")]
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
    meaning = "I have reviewed and accept this disposition"
    return _sign_off(found, who, outcome, meaning, reason, counts_for=role.value), complete


def _undecided(found: Disposition) -> None:
    if found.state != DispositionState.proposed.value:
        raise DisposalRefused("already_decided", f"The disposition {found.sequence} is {found.state}.")


def _four_eyes(found: Disposition, who: Who) -> None:
    if violates_four_eyes(found.proposed_by, who.principal):
        raise DisposalRefused("four_eyes", f"{found.proposed_by} proposed it; another person must decide.")


def _decide(found: Disposition, state: DispositionState, who: Who, reason: str | None) -> None:
    found.state, found.decided_by, found.decided_at, found.decision_reason = state.value, who.principal, who.at, reason
    found.signature_id = uuid_of(who.signature)


def _sign_off(
    found: Disposition, who: Who, outcome: str, meaning: str, reason: str | None, *, counts_for: str | None = None
) -> SignOff:
    return assessment.sign_off(
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


__all__ = ["approve", "approve_all", "reject", "withdraw"]
