"""Decisions that several people sign: collected one after another, in order, and void when their subject is replaced.

Who must sign is policy data (`PolicyFigures.signers`, `Proposal.signers`). Each missing signer has a task with
reminder, stand-in and head; a decision counts when the last one has signed.
"""

from collections.abc import Sequence
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.roles import Role
    from models.messages import Decision, SignApproval, VoidApprovals
    from workflows.approval_rules import Signed, missing, next_turn
    from workflows.recall_branches import RecallBranches

SIGN: Final = {"assessment": "approval", "notice": "notice_approval"}
"""Step that is signed -> human step of its tasks."""


class RecallApprovals(RecallBranches):
    """Collects signatures."""

    async def _signed_by_all(
        self,
        subject: str,
        needed: Sequence[str],
        decision: Decision,
        operation: str,
        content: str,
        base: str,
        what: str,
    ) -> str | None:
        """Take a signature; when it is the last, the function it counts for: the decision is recorded with it."""
        state = self._state
        given = state.signed.get(subject, [])
        turn = next_turn(needed, given, decision.actor, content)
        if turn.last:
            return turn.role
        key, step = self._sign_key(base, len(given)), subject.split(":", 1)[0]
        sign = SignApproval(
            number=self._start.number,
            now=workflow.now(),
            step=step,
            subject=subject,
            operation=operation,
            role=turn.role,
            place=turn.place,
            of=turn.of,
            actor=decision.actor,
            reason=decision.reason,
            body={"signed": content},
            task_key=key,
        )
        await self._do("record_approval_signature", sign, None, f"Record: signature {turn.place} of {turn.of}")
        self._settled(key)
        state.signed[subject] = [
            *given,
            Signed(role=turn.role, principal=decision.actor.principal, content=content),
        ]
        role = missing(needed, state.signed[subject])[0]
        await self._open_task(
            self._sign_key(base, turn.place), SIGN[step], f"{what}: signature {turn.place + 1} of {turn.of}", Role(role)
        )
        await self._project()
        return None

    def _sign_key(self, base: str, given: int) -> str:
        """Task of the next signature, after `given` others."""
        return base if not given else f"{base}:sign:{given + 1}"

    async def _void_approvals(self, step: str, base: str, why: str, keep: str | None = None) -> bool:
        """Signatures under a proposal or draft that was replaced count no more; whether there were any."""
        state = self._state
        replaced = [each for each in state.signed if each.split(":", 1)[0] == step and each != keep]
        for subject in replaced:
            given = state.signed.pop(subject)
            void = VoidApprovals(
                number=self._start.number,
                now=workflow.now(),
                step=step,
                subject=subject,
                signers=tuple(each.principal for each in given),
                why=why,
            )
            await self._do("void_approvals", void, None, f"Signatures under the {step} are void")
            await self._close_task(self._sign_key(base, len(given)), f"void: {why}", "The signature is not asked for")
        return bool(replaced)


__all__ = ["RecallApprovals"]
