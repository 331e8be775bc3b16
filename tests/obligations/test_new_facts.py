"""New facts recompute what is owed: a raised class, lots added, an action that is not reported. Never later."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from activities.obligations import ObligationActivities
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import by_hand, obligations, obligations_read
from db.repositories.clock_facts import NEW_DECISION, NEW_FACTS
from models.recall import SignOff
from tests.activities.conftest import ROOT
from tests.capa.conftest import next_number, write_recall
from tests.obligations.conftest import Owing

pytestmark = pytest.mark.db
CREATED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Monday 10:00 in Berlin, 04:00 in Washington, 17:00 in Beijing."""


@pytest_asyncio.fixture
async def owing(db: SessionFactory) -> Owing:
    """A recall under three laws, awareness and decision on one Monday."""
    number = next_number()
    laws = ["us-fda", "eu-mdr", "cn-nmpa"]
    await write_recall(db, number, jurisdictions=laws, created_at=CREATED, awareness_at=CREATED)
    found = Owing(db, number, CREATED)
    await found.start("awareness", CREATED)
    await found.start("decision", CREATED)
    return found


async def test_a_raised_bucket_runs_from_the_new_facts_and_only_when_that_is_earlier(owing: Owing) -> None:
    await owing.decide("eu-mdr", "I", "3", action="fsca")
    await owing.write(owing.at(0))
    # 2 November + 15
    assert (await owing.deadlines())["eu-mdr:incident_report"].due_at == datetime(2026, 11, 17, 22, 59, 59, tzinfo=UTC)
    await owing.start(f"{NEW_DECISION}:2", owing.at(7))
    await owing.start(f"{NEW_FACTS}:2", owing.at(4))
    await owing.decide("eu-mdr", "I", "2", action="fsca", at=owing.at(7))
    await owing.write(owing.at(7))
    row = (await owing.deadlines())["eu-mdr:incident_report"]
    # New facts of 6 November + 10
    assert row.due_at == datetime(2026, 11, 16, 22, 59, 59, tzinfo=UTC)
    assert (row.clock, row.limit_text) == (f"{NEW_FACTS}:2", "10 cd")


async def test_a_chinese_level_raised_runs_from_the_new_decision(owing: Owing) -> None:
    await owing.decide("cn-nmpa", "III", "3")
    await owing.write(owing.at(0))
    await owing.decide("cn-nmpa", "I", "1", at=owing.at(2))
    await owing.write(owing.at(2))
    # Decided on Wednesday 4 November: 1 日 ends on Thursday.
    assert (await owing.deadlines())["cn-nmpa:notify"].due_at == datetime(2026, 11, 5, 15, 59, 59, tzinfo=UTC)


async def test_class_iii_raised_to_ii_owes_its_806_report_from_the_initiation(owing: Owing) -> None:
    await owing.decide("us-fda", "III", "III")
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(0))
    assert "us-fda:regulator_report" not in await owing.deadlines()
    await owing.decide("us-fda", "II", "II", at=owing.at(30))
    figures = await owing.turn(owing.at(30))
    row = (await owing.deadlines())["us-fda:regulator_report"]
    # 3 to 6 (4) 9 10 (6), 11 off, 12 13 (8) 16 17 (10) November
    assert row.due_at == datetime(2026, 11, 18, 4, 59, 59, tzinfo=UTC)
    assert figures.overdue >= 1, "overdue at once"


async def test_a_lowered_class_leaves_what_is_open_where_it_was(owing: Owing) -> None:
    await owing.decide("us-fda", "I", "I")
    await owing.start("first_communication", owing.at(0))
    await owing.write(owing.at(0))
    before = {key: row.due_at for key, row in (await owing.deadlines()).items()}
    await owing.decide("us-fda", "III", "III", at=owing.at(1))
    await owing.write(owing.at(1))
    after = {key: row.due_at for key, row in (await owing.deadlines()).items()}
    assert {key: after[key] for key in before} == before


async def test_a_raise_between_two_status_reports_makes_the_open_one_earlier_and_no_other_overdue(
    owing: Owing,
) -> None:
    await owing.decide("us-fda", "II", "II")
    await owing.start("first_communication", owing.at(0))
    await owing.turn(owing.at(29))
    second = (await owing.deadlines())["us-fda:status_report#2"]
    assert second.due_at == datetime(2026, 12, 29, 4, 59, 59, tzinfo=UTC), "2 November + 56 days"
    await owing.decide("us-fda", "I", "I", at=owing.at(31))
    await owing.turn(owing.at(31))
    found = await owing.deadlines()
    # Decided on Thursday 3 December: 14 days later.
    assert found["us-fda:status_report#2"].due_at == datetime(2026, 12, 18, 4, 59, 59, tzinfo=UTC)
    assert "us-fda:status_report#3" not in found
    await owing.turn(owing.at(31))
    assert (await owing.deadlines())["us-fda:status_report#2"].due_at == found["us-fda:status_report#2"].due_at
    await owing.turn(owing.at(47))
    third = (await owing.deadlines())["us-fda:status_report#3"]
    assert third.due_at == datetime(2027, 1, 1, 4, 59, 59, tzinfo=UTC), "14 days after the second, not after the raise"


async def test_lots_added_start_the_limits_of_the_decision_anew_for_themselves(owing: Owing) -> None:
    await owing.decide("cn-nmpa", "II", "2")
    await owing.write(owing.at(0))
    before = await owing.deadlines()
    await owing.start("decision", owing.at(3), scope_version=2)
    await owing.write(owing.at(3))
    after = await owing.deadlines()
    assert {key: row.due_at for key, row in after.items() if key in before} == {
        key: row.due_at for key, row in before.items()
    }
    assert set(after) - set(before) == {
        "cn-nmpa:notify:2",
        "cn-nmpa:event_form:2",
        "cn-nmpa:assessment_and_plan:2",
        "cn-nmpa:publication:2",
    }
    assert after["cn-nmpa:notify:2"].due_at == datetime(2026, 11, 8, 15, 59, 59, tzinfo=UTC)
    # The lots reached nobody in this record: there is nobody to be told.
    assert after["cn-nmpa:notify:2"].met_by == "system"
    async with owing.sessions() as session:
        listed = {
            each.deadline.name: each for each in await obligations_read.listed(session, owing.number) if each.deadline
        }
    assert listed["event_form"].clock_started_at == CREATED
    assert listed["event_form:2"].clock_started_at == owing.at(3)


async def test_an_action_that_is_no_recall_reports_harm_and_nothing_of_the_action(owing: Owing) -> None:
    await owing.decide("us-fda", "II", "II", action="market_withdrawal")
    await owing.start("first_communication", owing.at(1))
    await owing.complain(1, "serious", owing.at(2))
    await owing.write(owing.at(2))
    assert set(await owing.deadlines()) == {"us-fda:notify", "us-fda:mdr_30_day:1"}
    async with owing.sessions() as session:
        listed = {each.rule.id: each for each in await obligations_read.listed(session, owing.number)}
    assert listed["regulator_report"].not_owed
    assert not listed["mdr_30_day"].not_owed


async def test_the_internal_date_without_the_roll_is_listed(owing: Owing) -> None:
    await owing.decide("eu-mdr", "I", "3", action="fsca")
    await owing.complain(1, "serious", datetime(2026, 12, 11, 9, 0, tzinfo=UTC))
    await owing.write(owing.at(40))
    async with owing.sessions() as session:
        listed = {
            each.deadline.name: each for each in await obligations_read.listed(session, owing.number) if each.deadline
        }
    report = listed["harm_report_serious:1"]
    assert report.deadline is not None
    # 11 December + 15 is Saturday 26, a holiday; Monday 28.
    assert report.unrolled == datetime(2026, 12, 26, 22, 59, 59, tzinfo=UTC)
    assert report.deadline.due_at == datetime(2026, 12, 28, 22, 59, 59, tzinfo=UTC)


async def test_once_the_table_is_loaded_the_limit_is_computed_and_its_task_is_done(owing: Owing) -> None:
    await owing.decide("cn-nmpa", "II", "2")
    completed = datetime(2026, 12, 18, 9, 0, tzinfo=UTC)
    await owing.start("completion", completed)
    await owing.turn(completed)
    async with owing.sessions() as session:
        assert await by_hand.waiting(session, owing.number) == [("cn-nmpa", "closure")]
    store = PolicyStore.load(ROOT / "policies")
    text = (ROOT / "policies/calendars/cn-state-council.yaml").read_text(encoding="utf-8")
    known = text + "  2027:\n    source: an invented notice\n    days_off: [2027-01-01]\n    working_weekends: []\n"
    loaded = PolicyStore(store._shipped, {"cn-state-council": known})
    owing.activities = ObligationActivities(owing.sessions, loaded)
    await owing.turn(completed + timedelta(days=1))
    # 21 to 25 (5) 28 to 31 December (9), 1 January off, Monday 4 January (10)
    assert (await owing.deadlines())["cn-nmpa:closure"].due_at == datetime(2027, 1, 4, 15, 59, 59, tzinfo=UTC)
    task = (await owing.tasks())["deadline:cn-nmpa:closure"]
    assert (task.state, task.outcome) == ("done", "computed from the calendar")
    async with owing.sessions() as session:
        assert await by_hand.waiting(session, owing.number) == []


async def test_a_recall_reported_in_france_counts_by_french_holidays(db: SessionFactory) -> None:
    number = next_number()
    awareness = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
    await write_recall(
        db,
        number,
        jurisdictions=["eu-mdr"],
        places={"eu-mdr": {"state": "FR", "zone": "Europe/Paris"}},
        created_at=awareness,
        awareness_at=awareness,
    )
    owing = Owing(db, number, awareness)
    await owing.start("awareness", awareness)
    await owing.start("decision", awareness)
    await owing.decide("eu-mdr", "I", "1", action="fsca")
    await owing.write(awareness)
    # 3 April 2026 is Good Friday, a working day in France; in Germany the limit would roll to Tuesday 7 April.
    due = (await owing.deadlines())["eu-mdr:incident_report"].due_at
    assert due == datetime(2026, 4, 3, 21, 59, 59, tzinfo=UTC)


async def test_a_report_gets_its_own_task_once_its_gate_is_not_asked_for_at_the_level_in_force(
    db: SessionFactory,
) -> None:
    number = next_number()
    await write_recall(db, number, jurisdictions=["ca-hc"], created_at=CREATED, awareness_at=CREATED)
    owing = Owing(db, number, CREATED)
    await owing.start("decision", CREATED)
    await owing.decide("ca-hc", "II", "II")
    await owing.turn(owing.at(0))
    task = "obligation:recall_notification:ca-hc"
    assert task not in await owing.tasks(), "the gate of section 63.2 has the task"
    # Section 63.2 asks nothing of a recall of type III; what was owed before stays owed.
    await owing.decide("ca-hc", "III", "III", at=owing.at(0.5))
    await owing.turn(owing.at(0.5))
    assert (await owing.tasks())[task].state == "offered"


async def test_a_gate_that_was_passed_counts_whatever_the_level_in_force_asks_for(db: SessionFactory) -> None:
    number = next_number()
    await write_recall(db, number, jurisdictions=["ca-hc"], created_at=CREATED, awareness_at=CREATED)
    owing = Owing(db, number, CREATED)
    await owing.decide("ca-hc", "II", "II")
    async with db.begin() as session:
        session.add(
            SignOff(
                recall_number=number,
                step="gate:ca-hc:hc_notified",
                outcome="passed",
                actor="regi",
                role="regulatory",
                meaning="the authority step was done",
                reference="e-mail of 2 November",
                body={},
                signed_at=owing.at(0.25),
            )
        )
    await owing.decide("ca-hc", "III", "III", at=owing.at(0.5))
    async with db() as session:
        settled = await obligations.settled_by_gates(session, number)
    passed = settled["ca-hc", "recall_notification"]
    assert passed is not None
    assert passed.signed_at == owing.at(0.25)
    assert ("ca-hc", "recall_report") not in settled
