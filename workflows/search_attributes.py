"""Search attributes the operator filters by in the Temporal Web UI; the one list that start-up registers.

SQL visibility allows 10 Keyword, 3 Int, 3 Datetime and 3 Bool attributes per namespace; this uses 7, 2, 1 and 2.
"""

from datetime import datetime
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

RECALL_NUMBER: Final = SearchAttributeKey.for_keyword("RecallNumber")
RECALL_PHASE: Final = SearchAttributeKey.for_keyword("RecallPhase")
RECALL_CLASS: Final = SearchAttributeKey.for_keyword("RecallClass")
RECALL_SCOPE: Final = SearchAttributeKey.for_keyword("RecallScope")
PRODUCT: Final = SearchAttributeKey.for_keyword("Product")
RECALL_OWNER: Final = SearchAttributeKey.for_keyword("RecallOwner")
WAITING_FOR: Final = SearchAttributeKey.for_keyword("WaitingFor")
OUTSTANDING: Final = SearchAttributeKey.for_int("Outstanding")
RESPONSE_PERCENT: Final = SearchAttributeKey.for_int("ResponsePercent")
NEXT_DEADLINE_AT: Final = SearchAttributeKey.for_datetime("NextDeadlineAt")
OVERDUE: Final = SearchAttributeKey.for_bool("Overdue")
DRILL: Final = SearchAttributeKey.for_bool("Drill")

ALL: Final[tuple[SearchAttributeKey[Any], ...]] = (
    RECALL_NUMBER,
    RECALL_PHASE,
    RECALL_CLASS,
    RECALL_SCOPE,
    PRODUCT,
    RECALL_OWNER,
    WAITING_FOR,
    OUTSTANDING,
    RESPONSE_PERCENT,
    NEXT_DEADLINE_AT,
    OVERDUE,
    DRILL,
)


def at_start(number: str, *, owner: str, product: str, drill: bool) -> TypedSearchAttributes:
    """What is known of a recall when its workflow starts."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(RECALL_NUMBER, number),
            SearchAttributePair(RECALL_OWNER, owner[:200]),
            SearchAttributePair(PRODUCT, product[:200]),
            SearchAttributePair(RECALL_PHASE, "intake"),
            SearchAttributePair(OVERDUE, False),
            SearchAttributePair(DRILL, drill),
        ]
    )


class Upserts:
    """Collects changed values, so that a workflow spends one event on all of them and none on no change."""

    def __init__(self, *, continued: bool = False) -> None:
        self._known: dict[str, Any] = {}
        # A continued run inherits the attributes of the one before: what it no longer has must be removed.
        self._unknown = object() if continued else None

    def changed(self, values: dict[SearchAttributeKey[Any], str | int | bool | datetime | None]) -> list[Any]:
        """Updates for the values that differ from the last ones given; `None` removes the attribute."""
        updates: list[Any] = []
        for key, value in values.items():
            if self._known.get(key.name, self._unknown) == value:
                continue
            self._known[key.name] = value
            updates.append(key.value_unset() if value is None else key.value_set(value))
        return updates
