"""How a recall changed and was closed, as its file shows it: what a reopening made void is marked, never left out."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from api.signature_views import Blocks, blocks_of
from db.repositories import closing
from models.closing import AuthorityAnswer
from models.recall import SignOff
from models.schemas_history import AuthorityAnswerOut, CompletionSignatureOut, ScopeVersionOut


async def history_of(session: AsyncSession, number: str) -> dict[str, list[object]]:
    """The fields of `RecallDetail` that tell of scope versions, completion and authorities."""
    signed = await closing.closing_sign_offs(session, number)
    answers = await closing.answers(session, number)
    versions = await closing.scope_versions(session, number)
    blocks = await blocks_of(session, signed)
    return {
        "scope_versions": [
            ScopeVersionOut(
                version=row.version,
                change=row.change,
                lots=lots,
                reason=row.reason,
                decided_by=row.decided_by,
                decided_at=row.decided_at,
            )
            for row, lots in versions
        ],
        "completion": [_signature(row, signed, answers, blocks) for row in signed],
        "authority_answers": [_answer(row, signed, answers) for row in answers],
    }


def _signature(
    row: SignOff, signed: Sequence[SignOff], answers: Sequence[AuthorityAnswer], blocks: Blocks
) -> CompletionSignatureOut:
    reopening = row.step == closing.REOPENING
    return CompletionSignatureOut(
        outcome=row.outcome,
        capacity=None if reopening else row.step.removeprefix(closing.COMPLETION),
        round=int(row.body.get("round", 1)),
        actor=row.actor,
        role=row.role,
        meaning=row.meaning,
        reason=row.reason,
        signed_at=row.signed_at,
        signature=blocks.get(row.signature_id),
        void=not reopening and _reopened_at(signed, answers) >= row.signed_at.timestamp(),
    )


def _answer(row: AuthorityAnswer, signed: Sequence[SignOff], answers: Sequence[AuthorityAnswer]) -> AuthorityAnswerOut:
    return AuthorityAnswerOut(
        jurisdiction=row.jurisdiction,
        answer=row.answer,
        reference=row.reference,
        reason=row.reason,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
        void=row.answer != "more_ordered" and _reopened_at(signed, answers) >= row.recorded_at.timestamp(),
    )


def _reopened_at(signed: Sequence[SignOff], answers: Sequence[AuthorityAnswer]) -> float:
    """When the recall was last taken back, by a person or by an authority's order; 0 if never."""
    instants = [row.signed_at for row in signed if row.step == closing.REOPENING]
    instants += [row.recorded_at for row in answers if row.answer == "more_ordered"]
    return max((each.timestamp() for each in instants), default=0.0)


__all__ = ["history_of"]
