"""Submissions on their way: handed over once, met by their receipt as of the hand-over, never from a drill."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select
from temporalio.testing import ActivityEnvironment

from activities.submissions import SubmissionActivities, key_of
from adapters.evidence.folder import FolderEvidence
from adapters.regulator.base import FailureKind, HandOverFailed, Parcel, Receipt
from adapters.regulator.file_drop import FileDrop
from db.repositories import submissions
from models.evidence import Evidence
from models.messages import RecallRef, SubmissionsCarried
from models.recall import Recall
from models.submission import Submission
from tests.obligations.conftest import Owing

pytestmark = pytest.mark.db


class Way:
    """One owed 806 report, frozen for the file drop."""

    def __init__(self, owing: Owing, folder: Path) -> None:
        self.owing, self.folder = owing, folder
        self.store = FolderEvidence(folder / "evidence")
        self.transports: dict[str, Any] = {"file_drop": FileDrop(folder / "drop")}

    async def owed(self) -> None:
        await self.owing.decide("us-fda", "I", "I")
        await self.owing.start("decision", self.owing.created_at)
        await self.owing.start("first_communication", self.owing.created_at)
        await self.owing.turn(self.owing.at(0.1))

    async def freeze(self, at: datetime, **changes: Any) -> Submission:
        """As the API does."""
        deadline = (await self.owing.deadlines())["us-fda:regulator_report"]
        content = json.dumps({"at": at.isoformat()}).encode()
        file = Evidence(
            id=uuid4(),
            file_name="report.json",
            content_type="application/json",
            size=len(content),
            sha256=await self.store.store(content),
            uploaded_by="rafael",
            uploaded_at=at,
        )
        given: dict[str, Any] = {
            "number": self.owing.number,
            "subject": "us-fda:regulator_report",
            "jurisdiction": "us-fda",
            "name": "regulator_report",
            "deadline_id": deadline.id,
            "kind": "us_806_report",
            "model_version": "1",
            "report_number": None,
            "fields_version": 0,
            "files": {"json": file},
            "sha256": file.sha256,
            "missing": [],
            "transport": "file_drop",
            "drill": False,
            "request": uuid4().hex,
            "by": "rafael",
            "role": "regulatory",
            "signature": None,
            "at": at,
        }
        corrects = changes.pop("corrects", None)
        async with self.owing.sessions.begin() as session:
            return await submissions.freeze(session, submissions.Frozen(**given | changes), corrects=corrects)

    async def carry(self, at: datetime) -> SubmissionsCarried:
        activities = SubmissionActivities(self.owing.sessions, self.store, self.transports)
        ref = RecallRef(number=self.owing.number, now=at)
        found: SubmissionsCarried = await ActivityEnvironment().run(activities.carry_submissions, ref)
        return found

    async def steps(self, row: Submission) -> list[str]:
        async with self.owing.sessions() as session:
            return [each.step for each in (await submissions.events(session, [row.id or 0]))[row.id or 0]]

    def answer(self, row: Submission, **changes: Any) -> None:
        given = {"key": key_of(row), "outcome": "accepted", "reference": "RES 7", "received_at": "2026-11-21T08:00:00Z"}
        (self.folder / "drop" / "in" / f"{key_of(row)}.json").write_text(json.dumps(given | changes))

    def dropped(self) -> list[str]:
        return sorted(each.name for each in (self.folder / "drop" / "out").iterdir())


@pytest.fixture
def way(owing: Owing, tmp_path: Path) -> Way:
    return Way(owing, tmp_path)


async def test_the_obligation_is_met_by_the_receipt_as_of_the_hand_over(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    assert (await way.owing.turn(way.owing.at(1))).under_way == 1
    first = await way.carry(way.owing.at(1.5))
    assert (first.under_way, first.settled) == (1, 0)
    assert way.dropped() == [key_of(row)]
    assert await way.steps(row) == ["handed_over"]
    assert (await way.owing.deadlines())["us-fda:regulator_report"].met_at is None
    assert (await way.carry(way.owing.at(2))).under_way == 1
    way.answer(row)
    assert (await way.carry(way.owing.at(3))).settled == 1
    assert await way.steps(row) == ["handed_over", "acknowledged"]
    met = (await way.owing.deadlines())["us-fda:regulator_report"]
    assert (met.met_at, met.met_by, met.reference) == (way.owing.at(1.5), "rafael", "RES 7")
    assert (await way.owing.tasks())["obligation:regulator_report:us-fda"].state == "done"
    after = await way.owing.turn(way.owing.at(3))
    assert after.under_way == 0
    assert (await way.carry(way.owing.at(4))).under_way == 0


async def test_a_refused_document_leaves_the_obligation_open_and_a_correction_goes_its_own_way(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    await way.carry(way.owing.at(1))
    way.answer(row, outcome="refused", reason="the UDI is missing")
    await way.carry(way.owing.at(2))
    assert await way.steps(row) == ["handed_over", "refused"]
    assert (await way.owing.deadlines())["us-fda:regulator_report"].met_at is None
    assert (await way.owing.tasks())["obligation:regulator_report:us-fda"].state == "offered"
    second = await way.freeze(way.owing.at(3), corrects=row.id)
    await way.carry(way.owing.at(3))
    assert way.dropped() == sorted([key_of(row), key_of(second)])
    way.answer(second, reference="RES 8")
    await way.carry(way.owing.at(4))
    assert (await way.owing.deadlines())["us-fda:regulator_report"].reference == "RES 8"


async def test_a_correction_names_the_newest_version(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    with pytest.raises(submissions.NotTheNewest, match="is the newest"):
        await way.freeze(way.owing.at(2))
    with pytest.raises(submissions.NotTheNewest, match="version 1"):
        await way.freeze(way.owing.at(2), corrects=(row.id or 0) + 1)
    again = await way.freeze(way.owing.at(2), request=row.request)
    assert again.id == row.id


class Failing:
    """A transport that is out of order, and counts how often it was tried."""

    def __init__(self, kind: FailureKind) -> None:
        self.kind, self.tried = kind, 0

    async def hand_over(self, parcel: Parcel) -> None:
        self.tried += 1
        raise HandOverFailed(self.kind, f"{parcel.recall}: the gateway is away")

    async def receipt(self, key: str) -> Receipt | None:
        raise AssertionError(f"nobody asks for {key}")


async def test_a_passing_failure_is_noted_once_and_tried_again(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    good, failing = way.transports["file_drop"], Failing(FailureKind.TRANSIENT)
    way.transports["file_drop"] = failing
    for day in (1, 2, 3):
        assert (await way.carry(way.owing.at(day))).under_way == 1
    assert failing.tried == 3
    assert await way.steps(row) == ["failed"]
    way.transports["file_drop"] = good
    await way.carry(way.owing.at(4))
    assert await way.steps(row) == ["failed", "handed_over"]


async def test_a_failure_for_good_ends_the_way(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    way.transports["file_drop"] = Failing(FailureKind.PERMANENT)
    assert (await way.carry(way.owing.at(1))).settled == 1
    assert await way.steps(row) == ["refused"]


async def test_a_transport_that_is_not_configured_here_waits_for_one_that_is(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    way.transports = {}
    assert (await way.carry(way.owing.at(1))).under_way == 1
    assert await way.steps(row) == ["failed"]


async def test_a_drill_is_blocked_whatever_is_configured(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1), drill=True)
    assert (await way.carry(way.owing.at(1))).settled == 1
    assert await way.steps(row) == ["refused"]
    assert not (way.folder / "drop").exists()


async def test_a_damaged_file_is_never_handed_over(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1))
    for path in (way.folder / "evidence").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"changed")
    await way.carry(way.owing.at(1))
    assert await way.steps(row) == ["failed"]
    assert not (way.folder / "drop" / "out").exists()


async def test_a_silent_week_of_daily_reports_is_one_task_that_says_how_many_are_owed(owing: Owing) -> None:
    await owing.decide("cn-nmpa", "I", "1")
    await owing.start("decision", owing.created_at)
    await owing.start("first_communication", owing.created_at)
    for day in range(8):
        await owing.turn(owing.at(day + 0.9))
    series = [task for key, task in (await owing.tasks()).items() if key.startswith("obligation:progress")]
    assert len(series) == 1
    owed = [row for row in (await owing.deadlines()).values() if row.name.partition("#")[0] == "progress"]
    due = sum(row.due_at <= owing.at(7.9) for row in owed)
    assert due >= 7
    assert series[0].what.endswith(f"; {due} reports of this series are owed by now")


async def test_the_next_report_of_a_series_gets_its_task_when_the_one_before_is_submitted(owing: Owing) -> None:
    await owing.decide("cn-nmpa", "I", "1")
    await owing.start("decision", owing.created_at)
    await owing.start("first_communication", owing.created_at)
    for day in range(3):
        await owing.turn(owing.at(day + 0.9))
    from db.repositories import obligations

    first = (await owing.deadlines())["cn-nmpa:progress"]
    async with owing.sessions.begin() as session:
        await obligations.submit(
            session,
            owing.number,
            first.id or 0,
            reference="x",
            evidence_ids=[],
            by="rafael",
            role="regulatory",
            now=owing.at(3),
        )
    await owing.turn(owing.at(3))
    states = {key: task.state for key, task in (await owing.tasks()).items() if "progress" in key}
    assert states == {"obligation:progress:cn-nmpa": "done", "obligation:progress#2:cn-nmpa": "offered"}


async def test_the_recall_of_a_submission_is_on_record(way: Way) -> None:
    await way.owed()
    row = await way.freeze(way.owing.at(1) + timedelta(hours=1))
    async with way.owing.sessions() as session:
        recall = (await session.exec(select(Recall).where(Recall.number == row.recall_number))).one()
        linked = (await session.exec(select(Evidence))).one()
    assert linked.recall_number == recall.number
    assert row.submitted_at.astimezone(UTC) == way.owing.at(1) + timedelta(hours=1)
