"""The record of a recall as one value for its documents (`domain.documents.record`), read in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import assessment, document_sql, effectiveness, market_actions, mass_balance, notices, recalls
from domain.documents.record import (
    Capa,
    Checks,
    Communication,
    Delivery,
    Disposed,
    Earlier,
    Evaluation,
    Firm,
    Harm,
    Line,
    Lot,
    Owed,
    Product,
    Progress,
    RecordView,
)
from domain.hazard import HazardEvaluation
from domain.policy import Policy, policy_hash
from models.closing import AuthorityAnswer, ScopeVersion
from models.recall import ClassDecision, Recall


async def view(
    session: AsyncSession, recall: Recall, policy: Policy, owed: Owed, firm: Firm, now: datetime
) -> RecordView:
    """Everything documents may say of the recall in one jurisdiction, as it stands at `now`."""
    number, zone = recall.number, policy.zone.zone
    today = now.astimezone(ZoneInfo(zone)).date()
    values = {"number": number, "zone": zone, "today": today}
    strategy = await effectiveness.signed_strategy(session, number)
    texts = {recall.texts_language: {"reason": recall.reason, "hazard": recall.hazard}} | recall.translations
    sent = (await run(session, document_sql.TODAY, values)).scalar_one()
    return RecordView(
        number=number,
        drill=recall.drill,
        phase=recall.phase,
        title=recall.title,
        texts_language=recall.texts_language,
        reason={language: each["reason"] for language, each in texts.items() if each.get("reason")},
        hazard={language: each["hazard"] for language, each in texts.items() if each.get("hazard")},
        trigger_source=recall.trigger_source,
        trigger_reference=recall.trigger_reference,
        awareness_at=recall.awareness_at,
        geographic_scope=recall.geographic_scope,
        scope_version=recall.scope_version,
        jurisdiction=policy.id,
        authority=policy.authority,
        authority_zh=policy.authority_zh,
        policy=f"{policy.id}@{policy.version} {policy_hash(policy)}",
        zone=zone,
        today=today,
        firm=firm,
        owed=owed,
        clocks=await recalls.clocks(session, number),
        lines=await _lines(session, number, policy),
        evaluations=await _evaluations(session, number),
        products=tuple(
            Product(**row | {"makers": tuple(sorted(row["makers"]))})
            for row in await _rows(session, document_sql.PRODUCTS, values)
        ),
        lots=tuple(Lot(**row) for row in await _rows(session, document_sql.LOTS, values)),
        deliveries=tuple(map(_delivery, await _rows(session, document_sql.DELIVERIES, values))),
        harms=await _harms(session, values),
        communications=tuple(Communication(**row) for row in await _rows(session, document_sql.COMMUNICATIONS, values)),
        strategy=strategy.model_dump(mode="json") if strategy else None,
        progress=await _progress(session, values),
        checks=next((Checks(**row) for row in await _rows(session, document_sql.CHECKS, values)), None),
        balance=(await mass_balance.balance(session, number)).lots,
        capas=tuple(
            Capa(**row | {"actions": tuple(row["actions"])}) for row in await _rows(session, document_sql.CAPAS, values)
        ),
        disposed=tuple(Disposed(**row) for row in await _rows(session, document_sql.DISPOSED, values)),
        earlier=tuple(Earlier(**row) for row in await _rows(session, document_sql.EARLIER, values)),
        daily_sequence=sent + 1,
        extension_reasons=await _extensions(session, number),
        justifications=await _justifications(session, number, policy.id),
        answers=await _answers(session, number, policy.id),
    )


async def _rows(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    return [dict(row) for row in (await run(session, statement, used)).mappings()]


def _delivery(row: dict[str, Any]) -> Delivery:
    days, units = row.pop("days") or [], row.pop("units") or []
    return Delivery(**row, shipments=tuple(zip(days, units, strict=True)))


async def _lines(session: AsyncSession, number: str, policy: Policy) -> tuple[Line, ...]:
    query = select(ClassDecision).where(
        col(ClassDecision.recall_number) == number,
        col(ClassDecision.jurisdiction) == policy.id,
        col(ClassDecision.kind) == "authority",
    )
    spoken = {row.product_line: row.local_term for row in (await session.exec(query.order_by(col(ClassDecision.id))))}
    decided = [row for row in await notices.approved_classes(session, number) if row.jurisdiction == policy.id]
    return tuple(
        Line(
            line=row.product_line,
            level=row.level,
            term=policy.level(row.level).term,
            term_zh=policy.level(row.level).term_zh,
            recall_class=row.recall_class,
            market_action=row.market_action,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            reasons=tuple(str(each.get("reason") or each.get("text") or each) for each in row.reasons),
            authority_class=spoken.get(row.product_line),
        )
        for row in decided
    )


async def _evaluations(session: AsyncSession, number: str) -> tuple[Evaluation, ...]:
    return tuple(
        Evaluation(
            line=row.product_line,
            form=HazardEvaluation.model_validate(row.body.get("evaluation", row.body)),
            assessor=row.assessor,
            recorded_at=row.recorded_at,
        )
        for row in await assessment.latest_evaluations(session, number)
    )


async def _harms(session: AsyncSession, values: Mapping[str, Any]) -> tuple[Harm, ...]:
    reported: dict[int, dict[str, str]] = {}
    for row in await _rows(session, document_sql.HARM_REPORTS, values):
        reported.setdefault(row["complaint_id"], {})[row["jurisdiction"]] = row["reference"]
    return tuple(
        Harm(**row, reported=reported.get(row.pop("id"), {}))
        for row in await _rows(session, document_sql.HARMS, values)
    )


async def _progress(session: AsyncSession, values: Mapping[str, Any]) -> Progress:
    [figures] = await _rows(session, document_sql.PROGRESS, values)
    [stated] = await _rows(session, document_sql.ON_HAND, values)
    channels = await _rows(session, document_sql.CHANNELS, values)
    silent = await _rows(session, document_sql.SILENT, values)
    countries = await _rows(session, document_sql.COUNTRIES, values)
    return Progress(
        **figures,
        by_channel={row["channel"]: row["consignees"] for row in channels},
        on_hand=stated["on_hand"],
        silent=tuple((row["code"], row["name"], row["country"]) for row in silent),
        countries=tuple((row["country"], row["consignees"], row["units"]) for row in countries),
    )


async def _extensions(session: AsyncSession, number: str) -> dict[int, str]:
    query = select(ScopeVersion).where(col(ScopeVersion.recall_number) == number, col(ScopeVersion.change) == "expand")
    return {row.version: row.reason for row in (await session.exec(query)).all() if row.reason}


async def _justifications(session: AsyncSession, number: str, jurisdiction: str) -> tuple[str, ...]:
    """Justifications with their review by the designated person (21 CFR 806.20(b)(4))."""
    reviewed = await market_actions.reviews(session, number)
    found = []
    for row in await market_actions.latest(session, number):
        if row.jurisdiction != jurisdiction or not row.justification:
            continue
        word = (
            f"{row.product_line} ({row.action.replace('_', ' ')}): {row.justification} Conclusions: {row.conclusions}"
        )
        signed = f"Signed by {row.decided_by} on {row.decided_at.date().isoformat()}."
        review = reviewed.get(row.id or 0)
        seen = (
            f" Review by {review.reviewed_by} on {review.reviewed_at.date().isoformat()}: {review.outcome}, "
            f"{review.evaluation}"
            if review
            else ""
        )
        found.append(f"{word} {signed}{seen}")
    return tuple(found)


async def _answers(session: AsyncSession, number: str, jurisdiction: str) -> tuple[str, ...]:
    query = select(AuthorityAnswer).where(
        col(AuthorityAnswer.recall_number) == number, col(AuthorityAnswer.jurisdiction) == jurisdiction
    )
    rows = (await session.exec(query.order_by(col(AuthorityAnswer.id)))).all()
    return tuple(f"{row.recorded_at.date().isoformat()}: {row.answer}, {row.reference or row.reason}" for row in rows)


__all__ = ["view"]
