"""Which CAPA another one is merged into, and what came again after one was closed."""

from api.problems import Problem
from api.state import ApiState
from db.repositories import capa as capas
from db.repositories import files, recurrence
from domain.capa import CapaState
from domain.recurrence import RULE
from models.capa import Capa
from models.schemas_capa import CapaMergeIn, RecurrenceEventOut, RecurrenceMonthOut, RecurrenceOut
from models.schemas_common import FieldProblem


async def merge_target(state: ApiState, own: Capa, body: CapaMergeIn) -> int:
    """Id of the CAPA that will answer for `own`.

    Raises:
        Problem: 422 when there is none such, it is this one, merged itself or closed, or a drill meets the real thing.
    """
    async with state.sessions() as session:
        into = await capas.find(session, body.file, body.sequence)
        if into is None or into.id is None:
            raise _invalid("#/file", f"there is no CAPA {body.sequence} of {body.file}")
        if into.id == own.id:
            raise _invalid("#/file", "expected another CAPA than this one")
        if into.state == CapaState.merged.value:
            raise _invalid("#/file", "it is merged into another CAPA itself")
        if into.state == CapaState.closed.value:
            raise _invalid("#/file", "it is closed; reopen it first, or answer for this one here")
        if (await files.get(session, into.file)).drill != (await files.get(session, own.file)).drill:
            raise _invalid("#/file", "a drill and the real thing are kept apart")
        return into.id


def _invalid(pointer: str, detail: str) -> Problem:
    errors = [FieldProblem(pointer=pointer, detail=detail)]
    return Problem("invalid", "It cannot be merged so; see `errors`.", errors=errors)


async def recurrence_of(state: ApiState, number: str, sequence: int) -> RecurrenceOut:
    """What came again since a CAPA was closed.

    Raises:
        Problem: 404 without such a CAPA, 409 while it is not closed.
    """
    async with state.sessions() as session:
        capa = await capas.find(session, number, sequence)
        if capa is None:
            raise Problem("capa_unknown", f"{number} has no CAPA {sequence}.")
        found = await recurrence.trend_of(session, capa, state.now())
    if found is None or capa.closed_at is None:
        raise Problem("wrong_state", "The CAPA is not closed; what comes again is counted from then on.")
    events, trend = found
    return RecurrenceOut(
        rule=RULE,
        closed_at=capa.closed_at,
        watched_until=trend.watched_until,
        allowed=trend.allowed,
        monthly_limit=trend.monthly_limit,
        total=trend.total,
        signal=trend.signal,
        months=[RecurrenceMonthOut.model_validate(each, from_attributes=True) for each in trend.months],
        events=[RecurrenceEventOut.model_validate(each, from_attributes=True) for each in events],
    )


__all__ = ["merge_target", "recurrence_of"]
