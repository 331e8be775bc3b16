"""Advice is kept beside a proposal: once per text and model, with its hash, and without any say in the decision."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import ProgrammingError
from sqlmodel import col, select, text, update

from db.engine import SessionFactory
from db.repositories import audit, suggestions
from models.audit import AuditEvent
from models.messages import RecallRef
from models.recall import ClassDecision, Recall
from models.suggestion import ClassSuggestion
from suggestion.model_file import shipped_model
from tests.activities.conftest import NOW, NUMBER, Case, make_case

pytestmark = pytest.mark.db
TAINTED = "Product is tainted with undeclared sildenafil and marketed without an approved application."


async def advice(sessions: SessionFactory) -> list[ClassSuggestion]:
    async with sessions() as session:
        return list((await session.exec(select(ClassSuggestion).order_by(col(ClassSuggestion.id)))).all())


async def suggested_events(sessions: SessionFactory) -> list[AuditEvent]:
    async with sessions() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
        return [event async for event in audit.read_all(session, NUMBER) if event.action == "class.suggested"]


async def test_a_proposal_has_the_models_advice_beside_it_once(case: Case) -> None:
    await case.proposed()
    await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW + timedelta(minutes=1)))
    [row] = await advice(case.sessions)
    assert (row.product_line, row.suggested_at, row.scope_version) == ("kits", NOW, 1)
    assert row.model_version == shipped_model().version
    assert row.recall_class in {"I", "II", "III"}
    assert set(row.confidence) == {"I", "II", "III"}
    assert {word["field"] for word in row.words["for"]} <= {"reason", "product", "together"}
    [event] = await suggested_events(case.sessions)
    [figures] = event.data["suggestions"]
    assert figures["text_sha256"] == row.text_sha256
    assert "words" not in figures


async def test_advice_changes_nothing_of_the_proposal(sessions: SessionFactory, chain: dict[str, int]) -> None:
    advised = await make_case(sessions, chain, reason=TAINTED)
    advised.assessment._advice = None
    without = await advised.proposed()
    assert not await advice(sessions)
    advised.assessment._advice = shipped_model()
    with_advice = await advised.run(advised.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW))
    assert [row.recall_class for row in await advice(sessions)] == ["I"]
    assert with_advice == without
    async with sessions() as session:
        decided = (await session.exec(select(ClassDecision))).all()
    assert {row.kind for row in decided} == {"proposed"}


async def test_another_model_or_another_reason_is_asked_again_and_the_old_answer_stays(case: Case) -> None:
    await case.proposed()
    other = replace(shipped_model(), version="other+000000000000")
    async with case.sessions.begin() as session:
        assert await suggestions.advise(session, NUMBER, other, NOW + timedelta(hours=1)) == 1
        assert await suggestions.advise(session, NUMBER, other, NOW + timedelta(hours=2)) == 0
        await session.exec(update(Recall).where(col(Recall.number) == NUMBER).values(reason=TAINTED))
        assert await suggestions.advise(session, NUMBER, other, NOW + timedelta(hours=3)) == 1
        [newest] = await suggestions.latest(session, NUMBER)
    rows = await advice(case.sessions)
    assert len(rows) == 3
    assert newest.id == rows[-1].id
    assert rows[0].text_sha256 == rows[1].text_sha256 != rows[2].text_sha256
    assert len(await suggested_events(case.sessions)) == 3


async def test_a_reason_in_chinese_gets_no_suggestion_and_says_so(
    sessions: SessionFactory, chain: dict[str, int]
) -> None:
    chinese = await make_case(sessions, chain, texts_language="zh-CN", reason="假阴性结果", translations={})
    await chinese.proposed()
    [row] = await advice(sessions)
    assert row.recall_class is None
    assert row.no_suggestion == "no suggestion: text is not English"
    assert row.needs_review


async def test_an_english_translation_of_the_reason_is_read(sessions: SessionFactory, chain: dict[str, int]) -> None:
    texts = {"en": {"reason": TAINTED, "hazard": "Harm"}}
    chinese = await make_case(sessions, chain, texts_language="zh-CN", reason="检出西地那非", translations=texts)
    await chinese.proposed()
    assert [row.recall_class for row in await advice(sessions)] == ["I"]


@pytest.mark.parametrize(
    "statement", ["UPDATE class_suggestion SET recall_class = 'III'", "DELETE FROM class_suggestion"]
)
async def test_advice_on_record_cannot_be_changed(case: Case, statement: str) -> None:
    await case.proposed()
    async with case.sessions.begin() as session:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await session.exec(text(statement))  # type: ignore[call-overload]
