"""Amending the scope of a running recall, as its workflow calls it: one transaction, and a repeat changes nothing."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from db.engine import SessionFactory
from db.repositories import recalls, scope_amendments
from domain.scope import UnknownScope
from models.messages import AmendScope, ScopeChange


class AmendmentActivities:
    """What follows from a decision to expand or to reduce the scope."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def amend_scope(self, request: AmendScope) -> ScopeChange:
        """Trace the new scope version, hold what was added, turn holds of what was taken out into nonconformity holds.

        Raises:
            ApplicationError: `InvalidInput` when the change is not possible or the criteria name nothing on record.
                It is not retried: the person who decided is told.
        """
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, request.number, lock=True)
            try:
                return await scope_amendments.amend(session, recall, request)
            except (scope_amendments.ScopeChangeRefused, UnknownScope) as error:
                raise ApplicationError(str(error), type="InvalidInput", non_retryable=True) from error
