"""Which campaign tells whom: the newest one that chases, and the newest scope version a sent notice speaks of.

Scalar subqueries for a statement that has the `recall` row in reach. A retraction, or the notice of the end, chases
nobody, so what it says of the scope changes nothing for those who are still asked.
"""

from typing import Final

_SENT: Final = """FROM campaign k JOIN notice n ON n.id = k.notice_id
     WHERE k.recall_number = recall.number AND n.kind NOT IN ('retraction', 'closure')"""

SENT_VERSION: Final = f"(SELECT max(n.scope_version) {_SENT})"
"""Scope version of the newest notice that was sent; NULL before the first one."""


def named_up_to(version: str) -> str:
    """Newest scope version whose lots are all in a notice of the scope version that this expression gives."""
    return f"""coalesce(
    (SELECT min(v.version) - 1 FROM scope_version v
     WHERE v.recall_number = recall.number AND v.change = 'expand' AND v.version > {version}), 2147483647)"""  # noqa: S608 - constants


TOLD_VERSION: Final = f"""(SELECT {named_up_to("sent.version")}
 FROM (SELECT {SENT_VERSION} AS version) sent WHERE sent.version IS NOT NULL)"""  # noqa: S608 - constants
"""Newest scope version whose lots are all in a notice that was sent; NULL before the first notice.

A reduction adds no lot, so it raises this by itself; the lots of an expansion wait for their amended notice."""

CHASING_CAMPAIGN: Final = f"coalesce((SELECT max(k.sequence) {_SENT}), 1)"
"""Sequence of the campaign that takes whoever joins by a passing-on or by records that arrive."""

WAITING: Final = 0
"""`consignee.campaign_sequence` of a consignee whose notice is not approved yet: no campaign chases it."""

LADDERLESS: Final = -1
"""`delivery.step` of a message that is sent once beside the ladder: what became of it moves no chase."""

COPY: Final = -2
"""`delivery.step` of the copy of a notice for who pays (`models.master.Party`): it moves no chase, and no chase waits
for it; the place that has the goods is told by a message of its own."""
