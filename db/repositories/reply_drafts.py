"""Answers begun on the recipient page and not sent yet: one per link holder, overwritten as it grows, deleted when the
answer is sent, given up, 30 days old, or when the recall has ended.

A draft is personal data nobody has stated: it is never audited, exported or shown to staff. Files uploaded with it are
evidence of their own and stay.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.phases import FINAL_PHASES

KEPT_FOR: Final = timedelta(days=30)
"""How long a draft is offered after its last change."""

_SAVE: Final = """
INSERT INTO reply_draft (consignee_id, contact_id, form_id, step, answers, files, updated_at)
VALUES (:consignee, :contact, :form, :step, CAST(:answers AS jsonb), '[]', :at)
ON CONFLICT (consignee_id, contact_id) DO UPDATE
SET form_id = excluded.form_id, step = excluded.step, answers = excluded.answers, updated_at = excluded.updated_at
"""
_ADD_FILE: Final = """
UPDATE reply_draft SET files = files || to_jsonb(CAST(:file AS text)), updated_at = :at
WHERE consignee_id = :consignee AND contact_id IS NOT DISTINCT FROM CAST(:contact AS bigint)
RETURNING id
"""
_END: Final = """
DELETE FROM reply_draft
WHERE consignee_id = :consignee AND contact_id IS NOT DISTINCT FROM CAST(:contact AS bigint)
RETURNING files
"""
_FORGET: Final = """
DELETE FROM reply_draft
WHERE updated_at <= :before OR consignee_id IN (
    SELECT c.id FROM consignee c JOIN recall ON recall.number = c.recall_number
    WHERE recall.phase = ANY (CAST(:ended AS text[])))
"""


async def save(
    session: AsyncSession,
    consignee_id: int,
    contact_id: int | None,
    *,
    form_id: str,
    step: str,
    answers: Mapping[str, str],
    at: datetime,
) -> None:
    """Keep what is filled in so far; files uploaded with an earlier form of the same person stay with it."""
    values = {"consignee": consignee_id, "contact": contact_id, "form": form_id, "step": step, "at": at}
    await run(session, _SAVE, values | {"answers": json.dumps(dict(answers), ensure_ascii=False)})


async def add_file(
    session: AsyncSession, consignee_id: int, contact_id: int | None, evidence_id: str, at: datetime
) -> bool:
    """Note an uploaded file with the draft; False when there is none."""
    values = {"consignee": consignee_id, "contact": contact_id, "file": evidence_id, "at": at}
    return (await run(session, _ADD_FILE, values)).scalar_one_or_none() is not None


async def end(session: AsyncSession, consignee_id: int, contact_id: int | None) -> tuple[str, ...]:
    """Delete the draft; returns the ids of the evidence uploaded with it."""
    found = await run(session, _END, {"consignee": consignee_id, "contact": contact_id})
    return tuple(found.scalar_one_or_none() or ())


async def forget_old(session: AsyncSession, now: datetime) -> int:
    """Delete what has not been touched for `KEPT_FOR`, and all drafts of recalls that have ended; returns how many."""
    ended = [phase.value for phase in FINAL_PHASES]
    return (await run(session, _FORGET, {"before": now - KEPT_FOR, "ended": ended})).rowcount


__all__ = ["KEPT_FOR", "add_file", "end", "forget_old", "save"]
