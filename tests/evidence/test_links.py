"""Evidence is bound to one recall and to the records it proves, and the recall's own chain says with which content."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from db.engine import SessionFactory
from db.repositories import audit, evidence
from models.evidence import Evidence
from models.recall import Recall

pytestmark = pytest.mark.db
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ONE, TWO = "RC-2026-000001", "RC-2026-000002"


async def file_and_recalls(db: SessionFactory) -> UUID:
    """Two recalls and a free file."""
    async with db.begin() as session:
        for number in (ONE, TWO):
            session.add(
                Recall(
                    number=number, title="t", reason="r", hazard="h", trigger_source="complaint", awareness_at=NOW,
                    jurisdictions=["us-fda"], suspect={}, owner="Quinn", started_by="Quinn", created_at=NOW,
                    phase="intake", phase_since=NOW,
                )
            )  # fmt: skip
        return await free_file(session)


async def free_file(session: object) -> UUID:
    file = Evidence(
        file_name="report.pdf", content_type="application/pdf", size=3, sha256="ab" * 32, uploaded_by="Quinn",
        uploaded_at=NOW,
    )  # fmt: skip
    await evidence.add(session, file, role="qa")  # type: ignore[arg-type]
    return file.id


async def events(db: SessionFactory, number: str) -> list[dict[str, object]]:
    async with db() as session:
        return [each.data for each in await audit.read(session, number) if each.action == "evidence.linked"]


async def test_linking_binds_the_file_and_the_chain_keeps_its_hash(db: SessionFactory) -> None:
    file = await file_and_recalls(db)
    async with db.begin() as session:
        await evidence.link(session, ONE, [str(file)], "task:12", by="Quinn", at=NOW)
    async with db() as session:
        (found,) = await evidence.linked(session, ONE, "task:12")
        assert (found.id, found.recall_number) == (file, ONE)
        assert await evidence.linked(session, ONE, "task:13") == []
        assert await evidence.linked(session, TWO, "task:12") == []
    cited = {"evidence_id": str(file), "sha256": "ab" * 32, "size": 3}
    assert await events(db, ONE) == [{"subject": "task:12", "files": [cited]}]


async def test_one_file_may_prove_several_records_and_linking_again_changes_nothing(db: SessionFactory) -> None:
    file = await file_and_recalls(db)
    for subject in ("task:12", "disposition:4", "task:12"):
        async with db.begin() as session:
            await evidence.link(session, ONE, [file], subject, by="Quinn", at=NOW)
    assert [each["subject"] for each in await events(db, ONE)] == ["task:12", "disposition:4"]


async def test_unusable_ids_are_named_and_nothing_is_changed(db: SessionFactory) -> None:
    taken = await file_and_recalls(db)
    async with db.begin() as session:
        await evidence.link(session, TWO, [taken], "intake", by="Quinn", at=NOW)
        free = await free_file(session)
    unknown = uuid4()
    with pytest.raises(evidence.EvidenceUnusable) as refused:
        async with db.begin() as session:
            await evidence.link(session, ONE, [free, "letter.pdf", unknown, taken], "task:1", by="Quinn", at=NOW)
    assert refused.value.faults == {
        "letter.pdf": "expected the id of an evidence file (UUID)",
        str(unknown): "no evidence has this id",
        str(taken): "this evidence belongs to another recall",
    }
    async with db() as session:
        found = await evidence.find(session, free)
        assert found is not None
        assert found.recall_number is None
    assert await events(db, ONE) == []


async def test_of_two_recalls_citing_one_free_file_at_once_one_is_refused(db: SessionFactory) -> None:
    file = await file_and_recalls(db)

    async def cite(number: str) -> str:
        try:
            async with db.begin() as session:
                await evidence.link(session, number, [file], "intake", by="Quinn", at=NOW)
        except evidence.EvidenceUnusable:
            return "refused"
        return "linked"

    assert sorted(await asyncio.gather(cite(ONE), cite(TWO))) == ["linked", "refused"]
