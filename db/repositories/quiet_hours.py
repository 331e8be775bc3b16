"""Quiet hours in the record: each waiting message gets the window in which its recipient may be disturbed.

Planned at every look of the campaign for messages that have no window or whose window is over; a claim between two
looks only asks whether the window is still open, so no rule and no calendar is needed where messages are sent.
A first notice, the copy of one for who pays, and whatever message carries one, gets a window only where that is over
before the notice's limit, and goes at once otherwise.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import recalls
from db.repositories.chasing_sql import COPY
from db.repositories.deliveries_sql import IN_ORDER
from domain.channels import Channel
from domain.levels import RecallClass
from domain.local_days import day_off_in
from domain.policy import Policy
from domain.quiet_hours import Hours, Window, common, next_window, window_within
from domain.timeline import NOTIFY
from models.messages import AdvanceCampaign

_CLASS: Final = {1: RecallClass.I, 3: RecallClass.II, 5: RecallClass.III}
"""The recall's class by its sending priority; another priority counts as the most urgent."""

_NOTICE: Final = f"(notice.step = 0 OR notice.step = {COPY} AND notice.kind IN ('initial', 'amendment'))"
# An amendment beside the ladder has no limit of its own, but has that of the first notice of a site that it speaks of.
_FIRST: Final = f"""({_NOTICE.replace("notice.", "d.")} OR d.leads AND EXISTS (
    SELECT FROM delivery notice WHERE notice.carried_by = d.id AND notice.state = 'pending' AND {_NOTICE}))"""
# What a sender takes at this moment needs no hours; it goes on to what the message carries, which the look has by now.
_UNHELD: Final = f"{IN_ORDER} SKIP LOCKED"
_TO_PLAN: Final = f"""
SELECT DISTINCT partner.time_zone, partner.country, {_FIRST} AS first
FROM delivery d JOIN contact ON contact.id = d.contact_id JOIN partner ON partner.id = contact.partner_id
WHERE d.campaign_id = :campaign AND d.state = 'pending' AND d.channel = :channel
  AND (d.window_ends IS NULL OR d.window_ends <= :now)
"""  # noqa: S608 - constants
_PLAN: Final = f"""
WITH place AS MATERIALIZED (
    SELECT d.id, planned.opens, planned.closes
    FROM delivery d
    JOIN contact ON contact.id = d.contact_id
    JOIN partner ON partner.id = contact.partner_id
    JOIN unnest(CAST(:zones AS text[]), CAST(:countries AS text[]), CAST(:firsts AS bool[]),
                CAST(:opens AS timestamptz[]), CAST(:closes AS timestamptz[]))
         AS planned (zone, country, first, opens, closes)
         ON partner.time_zone = planned.zone AND partner.country IS NOT DISTINCT FROM planned.country
    WHERE d.campaign_id = :campaign AND d.state = 'pending' AND d.channel = :channel
      AND (d.window_ends <= :now OR (d.window_ends IS NULL AND planned.closes IS NOT NULL))
      AND ({_FIRST}) = planned.first
    {_UNHELD}
)
UPDATE delivery d SET
    not_before = CASE WHEN place.opens > :now THEN greatest(d.not_before, place.opens) ELSE d.not_before END,
    window_ends = place.closes
FROM place WHERE d.id = place.id
"""  # noqa: S608 - constants
# A message that waited for morning when its recall became class I, or its policies gave the rule up, goes at once; a
# first notice whose limit has become earlier is planned anew.
_FREE: Final = f"""
WITH early AS MATERIALIZED (
    SELECT d.id FROM delivery d
    WHERE d.campaign_id = :campaign AND d.state = 'pending' AND d.window_ends IS NOT NULL
      AND (d.channel <> ALL (CAST(:channels AS text[])) OR ({_FIRST} AND d.window_ends > CAST(:limit AS timestamptz)))
    {_UNHELD}
)
UPDATE delivery d SET window_ends = NULL, not_before = CASE WHEN d.error_kind IS NULL THEN NULL ELSE d.not_before END
FROM early WHERE d.id = early.id
"""  # noqa: S608 - constants
# Of an amendment its own limit, beside those of earlier versions that are not met: it may be somebody's first notice.
_LIMIT: Final = """
SELECT min(due.due_at) FROM campaign k JOIN notice n ON n.id = k.notice_id
JOIN deadline due ON due.recall_number = k.recall_number AND due.stopped_at IS NULL
CROSS JOIN (SELECT CAST(:notify AS text) AS name) first
WHERE k.id = :campaign AND (
    due.name = CASE WHEN n.scope_version > 1 THEN concat(first.name, ':', n.scope_version) ELSE first.name END
    OR (due.met_at IS NULL AND (due.name = first.name OR starts_with(due.name, concat(first.name, ':'))))
)
"""


async def plan(session: AsyncSession, request: AdvanceCampaign) -> None:
    """Give the campaign's waiting messages their windows at `request.now`; the caller commits."""
    recall = await recalls.get(session, request.number)
    rules = rules_for(await recalls.pinned(session, request.number), request.priority, recall.pace)
    limit = (await run(session, _LIMIT, {"campaign": request.campaign_id, "notify": NOTIFY})).scalar_one()
    free = {"campaign": request.campaign_id, "channels": [each.value for each in rules], "limit": limit}
    await run(session, _FREE, free)
    for channel, hours in rules.items():
        given = {"campaign": request.campaign_id, "channel": channel.value, "now": request.now}
        places = (await run(session, _TO_PLAN, given)).all()
        if places:
            windows = [_window(request.now, place, hours, limit) for place in places]
            await run(session, _PLAN, given | _columns(places, windows))


def rules_for(policies: Sequence[Policy], priority: int, pace: float = 1.0) -> dict[Channel, Hours]:
    """Channel -> the hours that all policies with a rule for it allow.

    None for class I, whatever a policy says. None at a faster pace either: that is a drill or a demo, whose clock says
    nothing of anybody's night, and which has no time to wait for one.
    """
    recall_class = _CLASS.get(priority, RecallClass.I)
    if recall_class is RecallClass.I or pace > 1:
        return {}
    rules = [policy.quiet_hours for policy in policies if policy.quiet_hours is not None]
    rules = [rule for rule in rules if recall_class not in rule.except_classes]
    by_channel = {channel: common(rule.hours() for rule in rules if channel in rule.channels) for channel in Channel}
    return {channel: hours for channel, hours in by_channel.items() if hours is not None}


def _window(now: datetime, place: Any, hours: Hours, limit: datetime | None) -> Window | None:
    day_off = day_off_in(place.country or "")
    if place.first and limit is not None:
        return window_within(limit, now, place.time_zone, hours, day_off)
    return next_window(now, place.time_zone, hours, day_off)


def _columns(places: Sequence[Any], windows: Sequence[Window | None]) -> dict[str, list[Any]]:
    return {
        "zones": [place.time_zone for place in places],
        "countries": [place.country for place in places],
        "firsts": [place.first for place in places],
        "opens": [window and window.opens for window in windows],
        "closes": [window and window.closes for window in windows],
    }


__all__ = ["plan", "rules_for"]
