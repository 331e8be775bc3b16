"""Which campaign tells whom: the newest one that chases, and the newest scope version a sent notice speaks of.

Scalar subqueries for a statement that has the `recall` row in reach. A retraction chases nobody, so what it says of
the scope changes nothing for those who are still asked.
"""

from typing import Final

_SENT: Final = """FROM campaign k JOIN notice n ON n.id = k.notice_id
     WHERE k.recall_number = recall.number AND n.kind <> 'retraction'"""

TOLD_VERSION: Final = f"(SELECT max(n.scope_version) {_SENT})"
"""Newest scope version recipients are told of; NULL before the first notice. Later lots wait for their notice."""

CHASING_CAMPAIGN: Final = f"coalesce((SELECT max(k.sequence) {_SENT}), 1)"
"""Sequence of the campaign that takes whoever joins by a passing-on or by records that arrive."""

WAITING: Final = 0
"""`consignee.campaign_sequence` of a consignee whose notice is not approved yet: no campaign chases it."""

LADDERLESS: Final = -1
"""`delivery.step` of a message that is sent once beside the ladder: what became of it moves no chase."""
