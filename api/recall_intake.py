"""The intake of a recall over HTTP: checked against the records, written with its number under the caller's key."""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from api.citing import citing
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import evidence, recall_intake
from db.repositories.trace_roots import resolve_roots
from domain.policy_places import place_faults
from domain.roles import Permission
from domain.scope import UnknownScope
from models.access import IdempotencyKey
from models.recall import Recall
from models.schemas_common import FieldProblem
from models.schemas_recall import RecallStartIn

_CLOCK_SLACK = timedelta(minutes=5)
"""A client's clock may run a little ahead of ours; the database allows the same."""


async def recorded_before(state: ApiState, row: IdempotencyKey) -> Recall | None:
    """The recall an earlier attempt with this key recorded before it broke off."""
    if row.recall_number is None:
        return None
    return await load(state, row.recall_number)


async def record_intake(state: ApiState, body: RecallStartIn, principal: Principal, key: str) -> Recall:
    """Check the intake against the records and record it; its workflow is started afterwards.

    Raises:
        Problem: 422 with every fault.
    """
    now = state.now()
    async with state.sessions.begin() as session:
        faults = await _intake_faults(session, state, body, now)
        unusable = await evidence.unusable(session, body.evidence_ids, None)
        for index, evidence_id in enumerate(body.evidence_ids):
            if evidence_id in unusable:
                faults.append(FieldProblem(pointer=f"#/evidence_ids/{index}", detail=unusable[evidence_id]))
        try:
            await resolve_roots(session, body.scope)
        except UnknownScope as error:
            faults += [
                FieldProblem(pointer=f"#/scope/{item['field']}", detail=f"not on record: {item['value']}")
                for item in error.unknown
            ]
        if faults:
            raise Problem("invalid", "The intake does not fit the records; see `errors`.", errors=faults)
        with citing(body.evidence_ids):
            return await recall_intake.open_recall(
                session,
                _facts(body),
                evidence_ids=body.evidence_ids,
                principal=principal.name,
                role=principal.role_for(Permission.START_RECALL),
                key=key,
                now=now,
            )


async def _intake_faults(
    session: AsyncSession, state: ApiState, body: RecallStartIn, now: datetime
) -> list[FieldProblem]:
    faults = []
    if body.awareness_at > now + _CLOCK_SLACK:
        faults.append(FieldProblem(pointer="#/awareness_at", detail="lies in the future"))
    known = await state.jurisdictions.in_force(session, now.date())
    for index, jurisdiction in enumerate(body.jurisdictions):
        if jurisdiction not in known:
            detail = f"no policy {jurisdiction} is in force; known: {', '.join(known)}"
            faults.append(FieldProblem(pointer=f"#/jurisdictions/{index}", detail=detail))
    faults += [
        FieldProblem(pointer=f"#/places/{law}", detail="is none of the recall's jurisdictions")
        for law in body.places
        if law not in body.jurisdictions
    ]
    for law, place in body.places.items():
        policy = await state.jurisdictions.policy(session, law, now.date()) if law in body.jurisdictions else None
        if policy is not None:
            faults += [
                FieldProblem(pointer=f"#/places/{law}/{field}", detail=detail)
                for field, detail in place_faults(policy, place.state, place.zone)
            ]
    if body.pace != 1 and not state.settings.allow_pace:
        detail = "this installation runs in real time (RECALL_ALLOW_PACE is not set)"
        faults.append(FieldProblem(pointer="#/pace", detail=detail))
    return faults


def _facts(body: RecallStartIn) -> dict[str, object]:
    return {
        "title": body.title,
        "reason": body.reason,
        "hazard": body.hazard,
        "texts_language": body.texts_language,
        "translations": {tag: texts.model_dump() for tag, texts in body.translations.items()},
        "trigger_source": body.trigger.source,
        "trigger_reference": body.trigger.reference,
        "awareness_at": body.awareness_at,
        "jurisdictions": body.jurisdictions,
        "places": {law: place.model_dump(exclude_none=True) for law, place in body.places.items()},
        "suspect": body.scope.model_dump(mode="json", exclude_defaults=True),
        "owner": body.owner,
        "drill": body.drill,
        "pace": body.pace,
    }


__all__ = ["record_intake", "recorded_before"]
