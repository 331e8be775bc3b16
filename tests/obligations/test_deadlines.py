"""Deadlines of every clock: written once, only ever earlier, per complaint and extension; recurring reports."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.policies import PolicyStore
from activities.steps import StepActivities
from db.repositories import evidence, obligations, recalls
from domain.phases import Phase
from domain.roles import Role
from models.evidence import Evidence
from models.messages import Projection
from models.recall import SignOff
from tests.obligations.conftest import Owing

pytestmark = pytest.mark.db


async def class_one(owing: Owing) -> None:
    """A class I recall in the United States, decided at once."""
    await owing.decide("us-fda", "I", "I")
    await owing.start("decision", owing.created_at)


async def test_a_deadline_names_its_title_role_and_recipient_and_the_notice_limit_no_role(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.write(owing.at(0))
    found = await owing.deadlines()
    report = found["us-fda:regulator_report"]
    assert (report.title, report.role, report.recipient) == (
        "806 report of correction or removal",
        "regulatory",
        "FDA",
    )
    assert report.source == "21 CFR 806.10(b)"
    # Ten working days after Friday 20 November, Thanksgiving left out, end of day in Washington.
    assert report.due_at == datetime(2026, 12, 8, 4, 59, 59, tzinfo=UTC)
    assert found["us-fda:notify"].role is None
    assert "us-fda:closure" not in found


async def test_writing_again_changes_nothing_and_a_rising_class_only_pulls_forward(owing: Owing) -> None:
    await owing.decide("us-fda", "II", "II")
    await owing.start("first_communication", owing.at(0))
    await owing.write(owing.at(0))
    first = await owing.deadlines()
    await owing.write(owing.at(1))
    assert {key: row.due_at for key, row in (await owing.deadlines()).items()} == {
        key: row.due_at for key, row in first.items()
    }
    await owing.decide("us-fda", "I", "I")
    await owing.write(owing.at(2))
    second = await owing.deadlines()
    assert second["us-fda:status_report"].due_at < first["us-fda:status_report"].due_at
    assert all(second[key].due_at <= row.due_at for key, row in first.items())


async def test_each_complaint_has_deadlines_of_its_own_by_what_was_reported(owing: Owing) -> None:
    await class_one(owing)
    await owing.decide("eu-mdr", "I", "3")
    death = await owing.complain(1, "death", owing.at(3))
    await owing.complain(2, "serious", owing.at(5))
    await owing.complain(3, "other", owing.at(5))
    await owing.write(owing.at(5))
    found = await owing.deadlines()
    assert found["us-fda:mdr_5_day:1"].complaint_id == death
    assert {"us-fda:mdr_30_day:1", "us-fda:mdr_30_day:2", "us-fda:mdr_30_day:3"} <= set(found)
    assert found["us-fda:mdr_30_day:2"].due_at > found["us-fda:mdr_30_day:1"].due_at
    assert {key for key in found if key.startswith("eu-mdr:harm")} == {
        "eu-mdr:harm_report_death:1",
        "eu-mdr:harm_report_serious:2",
    }


async def test_each_extension_is_reported_and_an_order_starts_the_warning(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("extension_communication", owing.at(2), scope_version=2)
    await owing.start("extension_communication", owing.at(9), scope_version=3)
    await owing.start("authority_order", owing.at(1))
    await owing.write(owing.at(9))
    found = await owing.deadlines()
    assert found["us-fda:scope_extension_report:2"].due_at < found["us-fda:scope_extension_report:3"].due_at
    assert found["us-fda:public_warning"].due_at == owing.at(2)


async def test_a_second_completion_owes_its_final_report_anew(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("completion", owing.at(30))
    await owing.write(owing.at(30))
    async with owing.sessions.begin() as session:
        stopped = await obligations.stop_of_clock(
            session, owing.number, "completion", reason="the recall was reopened", now=owing.at(31)
        )
    assert stopped == 1
    await owing.start("completion:2", owing.at(50))
    await owing.write(owing.at(50))
    found = await owing.deadlines()
    assert found["us-fda:closure"].stopped_reason == "the recall was reopened"
    assert found["us-fda:closure:2"].due_at > owing.at(50)
    assert found["us-fda:closure:2"].stopped_at is None


async def test_a_recurring_report_comes_due_from_its_clock_whether_or_not_it_was_late(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    assert {key for key in await owing.deadlines() if "status" in key} == {"us-fda:status_report"}
    first = (await owing.deadlines())["us-fda:status_report"]
    # Nobody submits: each report becomes due in its turn, from the clock.
    await owing.turn(owing.at(29))
    found = await owing.deadlines()
    names = sorted(key for key in found if "status" in key)
    assert names == ["us-fda:status_report", "us-fda:status_report#2", "us-fda:status_report#3"]
    assert (found["us-fda:status_report#2"].due_at - first.due_at).days == 14
    assert (found["us-fda:status_report#3"].due_at - first.due_at).days == 28


async def test_a_submitted_recurring_report_brings_the_next_and_a_stopped_one_ends_the_series(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await submit(owing, "us-fda:status_report", owing.at(3))
    await owing.turn(owing.at(3))
    second = (await owing.deadlines())["us-fda:status_report#2"]
    async with owing.sessions.begin() as session:
        await obligations.stop(
            session,
            owing.number,
            second.id or 0,
            reason="FDA said so",
            by="rafael",
            role=Role.REGULATORY,
            now=owing.at(4),
        )
    await owing.turn(owing.at(200))
    assert "us-fda:status_report#3" not in await owing.deadlines()
    assert (await owing.tasks())["obligation:status_report#2:us-fda"].state == "done"


async def submit(owing: Owing, key: str, now: datetime) -> None:
    """Submit what the key names, with a file."""
    row = (await owing.deadlines())[key]
    file = Evidence(
        id=uuid4(),
        file_name="ack.pdf",
        content_type="application/pdf",
        size=1,
        sha256="b" * 64,
        uploaded_by="rafael",
        uploaded_at=now,
    )
    async with owing.sessions.begin() as session:
        session.add(file)
        await session.flush()
        await obligations.submit(
            session,
            owing.number,
            row.id or 0,
            reference="ACK 7",
            evidence_ids=[file.id],
            by="rafael",
            role="regulatory",
            now=now,
        )


async def test_open_counts_what_is_owed_so_far_and_overdue_what_is_late(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    figures = await owing.turn(owing.at(0.5))
    # Telling FDA is due immediately; the 806 report runs; the status report's time has not come.
    assert (figures.open, figures.overdue) == (2, 1)
    assert figures.next_name == "status_report (us-fda)"
    figures = await owing.turn(owing.at(40))
    assert figures.overdue == figures.open == 4
    await submit(owing, "us-fda:regulator_report", owing.at(40))
    assert (await owing.turn(owing.at(40))).open == 3


async def test_a_task_stands_for_each_open_report_and_ends_with_it(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    assert (await owing.turn(owing.at(0))).tasks_changed
    assert not (await owing.turn(owing.at(0))).tasks_changed
    task = (await owing.tasks())["obligation:regulator_report:us-fda"]
    deadline = (await owing.deadlines())["us-fda:regulator_report"]
    assert (task.due_at, task.role, task.owner) == (deadline.due_at, "regulatory", f"recall:{owing.number}:obligations")
    assert task.evidence_required
    await submit(owing, "us-fda:regulator_report", owing.at(1))
    assert (await owing.tasks())["obligation:regulator_report:us-fda"].outcome == "submitted: ACK 7"


async def test_late_is_recorded_as_late_and_twice_is_refused(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await submit(owing, "us-fda:regulator_report", owing.at(30))
    assert (await owing.tasks())["obligation:regulator_report:us-fda"].outcome == "submitted late: ACK 7"
    with pytest.raises(obligations.ObligationNotOpen, match="it was met"):
        await submit(owing, "us-fda:regulator_report", owing.at(31))


async def test_a_settled_deadline_is_moved_by_nothing(owing: Owing) -> None:
    await owing.decide("us-fda", "II", "II")
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await submit(owing, "us-fda:status_report", owing.at(1))
    before = (await owing.deadlines())["us-fda:status_report"].due_at
    await owing.decide("us-fda", "I", "I")
    await owing.turn(owing.at(2))
    assert (await owing.deadlines())["us-fda:status_report"].due_at == before


async def test_what_a_gate_will_meet_has_no_second_task_and_a_waived_report_before_start_is_owed(owing: Owing) -> None:
    await owing.decide("eu-mdr", "I", "3", action="fsca")
    await owing.decide("us-fda", "I", "I")
    await owing.start("decision", owing.at(0))
    await owing.turn(owing.at(0))
    assert "obligation:regulator_first_contact:us-fda" not in await owing.tasks()
    assert "eu-mdr:fsca_initial" not in await owing.deadlines()
    for gate in ("eu-mdr:fsca_report", "us-fda:fda_informed"):
        async with owing.sessions.begin() as session:
            session.add(
                SignOff(
                    recall_number=owing.number,
                    step=f"gate:{gate}",
                    outcome="waived",
                    actor="ada",
                    role="approver",
                    meaning="urgency",
                    reason="urgent",
                    body={},
                    signed_at=owing.at(1),
                )
            )
    await owing.turn(owing.at(1))
    initial = (await owing.deadlines())["eu-mdr:fsca_initial"]
    assert (initial.due_at, initial.limit_text) == (owing.at(1), "before start")
    assert {"obligation:regulator_first_contact:us-fda", "obligation:fsca_initial:eu-mdr"} <= set(await owing.tasks())


async def test_a_deadline_pulled_forward_pulls_its_task(owing: Owing) -> None:
    await owing.decide("us-fda", "II", "II")
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await owing.decide("us-fda", "I", "I")
    figures = await owing.turn(owing.at(2))
    assert figures.tasks_changed
    task = (await owing.tasks())["obligation:status_report:us-fda"]
    assert task.due_at == (await owing.deadlines())["us-fda:status_report"].due_at


async def test_when_the_recall_has_ended_no_further_recurring_report_is_owed(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await submit(owing, "us-fda:regulator_report", owing.at(1))
    await submit(owing, "us-fda:regulator_first_contact", owing.at(1))
    figures = await owing.turn(owing.at(2), ending=True)
    assert figures.open == 0
    assert (await owing.deadlines())["us-fda:status_report"].stopped_reason == "the recall has ended"


async def test_a_file_is_never_seen_terminated_and_owing_its_next_recurring_report(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    steps = StepActivities(owing.sessions, PolicyStore.load(Path(__file__).parents[2] / "policies"))
    for phase in (Phase.AWAITING_AUTHORITY, Phase.TERMINATED):
        before = (await owing.deadlines())["us-fda:status_report"]
        assert before.stopped_at is None, "only the end of the recall stops it"
        view = Projection(
            number=owing.number, now=owing.at(2), phase=phase, waiting_for=None, next_deadline_at=None,
            next_deadline_name=None,
        )  # fmt: skip
        await ActivityEnvironment().run(steps.project, view)
    assert (await owing.deadlines())["us-fda:status_report"].stopped_reason == "the recall has ended"
    assert (await owing.tasks())["obligation:status_report:us-fda"].state == "done"


async def test_evidence_of_a_submission_is_linked_to_the_deadline(owing: Owing) -> None:
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    await submit(owing, "us-fda:regulator_report", owing.at(1))
    row = (await owing.deadlines())["us-fda:regulator_report"]
    async with owing.sessions() as session:
        files = await evidence.linked(session, owing.number, f"obligation:{row.id}")
    assert [file.file_name for file in files] == ["ack.pdf"]


async def test_a_report_is_submitted_while_the_look_writes_deadlines_without_a_deadlock(owing: Owing) -> None:
    """The look holds the recall and then writes deadlines; a submission must not come the other way round."""
    await class_one(owing)
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    async with owing.sessions.begin() as look:
        await recalls.get(look, owing.number, lock=True)
        connection = await look.connection()
        me = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        submission = asyncio.create_task(submit(owing, "us-fda:regulator_report", owing.at(1)))
        async with asyncio.timeout(10):
            while not await _waits_for(owing, me):  # noqa: ASYNC110 - only the database knows who waits
                await asyncio.sleep(0.01)
        earlier = "UPDATE deadline SET policy_due_at = policy_due_at WHERE recall_number = :number"
        await connection.execute(text(earlier), {"number": owing.number})
    await submission
    assert (await owing.deadlines())["us-fda:regulator_report"].reference == "ACK 7"


async def _waits_for(owing: Owing, pid: int) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid)))"
    async with owing.sessions() as session:
        found = await (await session.connection()).execute(text(query), {"pid": pid})
        return bool(found.scalar_one())
