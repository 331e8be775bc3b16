"""Advice on record: asking the model about a recall's texts, keeping its answer, and reading it again.

Each answer is kept once per product line, text and model, with its audit event in the same transaction. Texts and
words stay out of the audit: it names class, chances, model and the hash of the text.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, recalls
from db.rows import insert_new
from domain.audit_chain import canonical_json
from domain.class_suggestion import NOT_ENGLISH, Model, Suggestion, not_suggested, suggest
from models.master import Product
from models.recall import Recall
from models.suggestion import ClassSuggestion

_SYSTEM: Final = "system"
_DESCRIPTION: Final = 4000
"""Characters of product names that are read; a line of hundreds of sizes says nothing new after that."""


async def advise(session: AsyncSession, number: str, model: Model, now: datetime) -> int:
    """Ask the model about each product line in scope and keep what is new; returns how many answers are."""
    recall = await recalls.get(session, number)
    rows = []
    for line in await recalls.product_lines(session, number, recall.scope_version):
        products = await recalls.products_of_line(session, number, line.key)
        rows.append(_row(recall, line.key, describe(products), model, now))
    known = {(row.product_line, row.text_sha256, row.model_version) for row in await _all(session, number)}
    new = [row for row in rows if (row.product_line, row.text_sha256, row.model_version) not in known]
    if not await insert_new(session, ClassSuggestion, [row.model_dump(exclude={"id"}) for row in new]):
        return 0
    await audit.append(
        session,
        number,
        actor=_SYSTEM,
        role=_SYSTEM,
        action="class.suggested",
        at=now,
        data={"model": model.version, "suggestions": [_figures(row) for row in new]},
    )
    return len(new)


async def latest(session: AsyncSession, number: str) -> list[ClassSuggestion]:
    """The newest answer for each product line, in the order of lines."""
    query = (
        select(ClassSuggestion)
        .where(col(ClassSuggestion.recall_number) == number)
        .ext(distinct_on(col(ClassSuggestion.product_line)))
        .order_by(
            col(ClassSuggestion.product_line), col(ClassSuggestion.suggested_at).desc(), col(ClassSuggestion.id).desc()
        )
    )
    return list((await session.exec(query)).all())


def describe(products: Sequence[Product]) -> str:
    """What a product line is, from the names and brands in the product master, each once."""
    parts = dict.fromkeys(part for each in products for part in (each.name, each.brand) if part)
    return "; ".join(parts)[:_DESCRIPTION]


def english_reason(recall: Recall) -> str | None:
    """The recall's reason in English, as it was written or as it was translated; None where there is none."""
    if recall.texts_language.lower().split("-")[0] == "en":
        return recall.reason
    for language, texts in sorted(recall.translations.items()):
        if language.lower().split("-")[0] == "en" and texts.get("reason"):
            return str(texts["reason"])
    return None


async def _all(session: AsyncSession, number: str) -> Sequence[ClassSuggestion]:
    query = select(ClassSuggestion).where(col(ClassSuggestion.recall_number) == number)
    return (await session.exec(query)).all()


def _row(recall: Recall, line: str, description: str, model: Model, now: datetime) -> ClassSuggestion:
    reason = english_reason(recall)
    given = suggest(model, reason, description) if reason is not None else not_suggested(model, NOT_ENGLISH)
    said = {"reason": reason if reason is not None else recall.reason, "product_description": description}
    return ClassSuggestion(
        recall_number=recall.number,
        product_line=line,
        scope_version=recall.scope_version,
        text_sha256=hashlib.sha256(canonical_json(said).encode()).hexdigest(),
        recall_class=given.recall_class,
        confidence={each.value: chance for each, chance in given.confidence.items()},
        words=_words(given),
        notes=list(given.notes),
        needs_review=given.needs_review,
        no_suggestion=given.no_suggestion,
        model_version=given.model_version,
        suggested_at=now,
    )


def _words(given: Suggestion) -> dict[str, object]:
    return {
        "for": [asdict(word) for word in given.words_for],
        "against": [asdict(word) for word in given.words_against],
    }


def _figures(row: ClassSuggestion) -> dict[str, object]:
    """An answer as the audit names it; chances as text, because the chain has no binary fractions."""
    return {
        "product_line": row.product_line,
        "class": row.recall_class,
        "confidence": {name: f"{chance:.4f}" for name, chance in row.confidence.items()},
        "needs_review": row.needs_review,
        "text_sha256": row.text_sha256,
    }


__all__ = ["advise", "describe", "english_reason", "latest"]
