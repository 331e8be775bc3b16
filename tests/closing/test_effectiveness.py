"""Effectiveness rounds on record: drawn once, judged on what was found, widened, and the failed chased again."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.effectiveness import EffectivenessActivities
from db.engine import SessionFactory
from db.repositories import audit, effectiveness, effectiveness_checks, mass_balance
from db.repositories.effectiveness_checks import Counted, Findings
from domain.effectiveness import candidates_hash, draw, rank
from models.messages import EffectivenessFigures, EffectivenessTurn
from tests.closing.world import HOUR, NUMBER, T0, World, build
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
NOW = T0 + 5 * HOUR
YES = (True, True, True)


class Roster:
    """A recall over `count` hospitals that each got 10 units, used 6 and have 4, at an effectiveness level."""

    def __init__(
        self, url: str, db: SessionFactory, count: int, level: str = "A", depth: str = "user_facility"
    ) -> None:
        chain = Chain()
        plant = chain.place("own", "manufacturer")
        self.db = db
        self.places = [chain.place() for _ in range(count)]
        self.lot = chain.lot(chain.product(), site=plant, made=Decimal(10 * count))
        for place in self.places:
            chain.move("shipment", self.lot, 10, plant, place, delivered=True)
        self.world: World = build(url, chain, level=level, depth=depth)
        self.world.scope(self.lot)
        for place in self.places:
            self.world.consignee(place)
            self.world.received(place, self.lot, 10)
            self.world.statement(place, {self.lot: {"used": 6, "on_hand": 4, "held": 4}})

    async def turn(self, now: datetime = NOW) -> EffectivenessFigures:
        activities = EffectivenessActivities(self.db)
        request = EffectivenessTurn(number=NUMBER, now=now)
        figures: EffectivenessFigures = await ActivityEnvironment().run(activities.effectiveness_turn, request)
        return figures

    def pending(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT id, consignee_id FROM effectiveness_check WHERE state = 'pending' ORDER BY id")

    async def record(
        self, check: int, findings: Findings | None = None, request: str | None = None, at: datetime = NOW + HOUR
    ) -> Any:
        found = findings or self.passing()
        async with self.db.begin() as session:
            return await effectiveness_checks.record(
                session,
                NUMBER,
                check,
                found,
                actor="quinn",
                role="qa",
                request=request or f"request-{check}",
                now=at,
            )

    def passing(self, quantity: int = 4, facts: tuple[bool, bool, bool] = YES) -> Findings:
        return Findings(facts, (Counted(self.lot, Decimal(quantity)),), "phone", "A. Nurse")

    async def all_pass(self, but: Iterable[int] = (), at: datetime = NOW + HOUR) -> None:
        """Every pending check passes, except those of the consignees named: they do not respond."""
        for row in self.pending():
            missed = row["consignee_id"] in but
            await self.record(row["id"], Findings(None, method="phone") if missed else None, at=at)

    def states(self) -> dict[int, str]:
        return {row["id"]: row["state"] for row in self.world.rows("SELECT id, state FROM consignee ORDER BY id")}

    def answer_again(self, consignee: int, at: datetime) -> None:
        place = next(place for place, known in self.world.consignees.items() if known == consignee)
        self.world.statement(place, {self.lot: {"used": 6, "on_hand": 4, "held": 4}}, at=at)
        self.world.run("UPDATE consignee SET state = 'answered', answered_at = %s WHERE id = %s", at, consignee)


@pytest.fixture
def roster(db: SessionFactory, clean_db: PostgresForTests) -> Roster:
    return Roster(clean_db.admin_url, db, 4)


async def test_no_sample_is_drawn_before_everybody_has_answered(roster: Roster) -> None:
    one = next(iter(roster.states()))
    for state in ("open", "acknowledged"):
        roster.world.run("UPDATE consignee SET state = %s WHERE id = %s", state, one)
        assert await roster.turn() == EffectivenessFigures()
    roster.world.run("UPDATE consignee SET state = 'documented' WHERE id = %s", one)
    figures = await roster.turn()
    assert (figures.sequence, figures.population, figures.sample_size, figures.passed) == (1, 3, 3, None)


async def test_without_a_signed_strategy_there_is_no_level(roster: Roster) -> None:
    roster.world.run("DELETE FROM sign_off WHERE step = 'strategy:quality'")
    assert await roster.turn() == EffectivenessFigures()


async def test_a_turn_that_runs_again_draws_nothing_twice(roster: Roster) -> None:
    first = await roster.turn()
    again = await roster.turn(NOW + HOUR)
    assert first == again
    assert (first.sequence, first.level, first.sample_size, first.pending) == (1, "A", 4, 4)
    keys = [row["key"] for row in roster.world.rows("SELECT key FROM task ORDER BY id")]
    assert keys == [f"check:1:{row['consignee_id']}" for row in roster.pending()]
    actions = [row["action"] for row in roster.world.rows("SELECT action FROM audit_event ORDER BY seq")]
    assert actions == ["effectiveness.round_drawn", "effectiveness.checks_offered"]


async def test_tasks_have_the_policys_times_and_one_due_time(roster: Roster) -> None:
    figures = await roster.turn()
    rows = roster.world.rows(
        "SELECT DISTINCT step, role, stand_in, owner, remind_at, due_at, escalate_at, policy_due_at FROM task"
    )
    assert rows == [
        {
            "step": "effectiveness_check",
            "role": "qa",
            "stand_in": "regulatory",
            "owner": f"recall:{NUMBER}",
            "remind_at": NOW + timedelta(days=3),
            "due_at": NOW + timedelta(days=5),
            "escalate_at": NOW + timedelta(days=8),
            "policy_due_at": NOW + timedelta(days=5),
        }
    ]
    assert figures.next_due_at == NOW + timedelta(days=5)


async def test_the_sample_can_be_drawn_again_from_the_record(db: SessionFactory, clean_db: PostgresForTests) -> None:
    roster = Roster(clean_db.admin_url, db, 12, level="C")
    figures = await roster.turn()
    drawn = roster.world.one("SELECT * FROM effectiveness_round")
    sample = [row["consignee_id"] for row in roster.pending()]
    assert (figures.population, figures.sample_size, len(drawn["seed"])) == (12, 2, 64)
    assert sorted(drawn["candidates"], key=lambda each: rank(drawn["seed"], each))[:2] == sample
    event = roster.world.one("SELECT data FROM audit_event WHERE action = 'effectiveness.round_drawn'")
    assert event["candidates_sha256"] == candidates_hash(drawn["candidates"])
    assert event["sample"] == sample == list(draw(event["seed"], drawn["candidates"], event["percent"]))


async def test_a_round_in_which_everybody_passes_meets_the_level(roster: Roster) -> None:
    await roster.turn()
    await roster.all_pass()
    figures = await roster.turn(NOW + 2 * HOUR)
    assert (figures.sequence, figures.pending, figures.passed, figures.reopened) == (1, 0, True, 0)
    assert set(roster.states().values()) == {"answered"}
    assert roster.world.rows("SELECT id FROM task WHERE state <> 'done'") == []
    async with roster.db() as session:
        assert await effectiveness.is_met(session, NUMBER)
        assert await audit.first_broken_link(session, NUMBER) is None


async def test_level_e_checks_nobody_and_says_so(db: SessionFactory, clean_db: PostgresForTests) -> None:
    roster = Roster(clean_db.admin_url, db, 3, level="E")
    figures = await roster.turn()
    assert (figures.sequence, figures.level, figures.sample_size, figures.passed) == (1, "E", 0, True)
    assert await roster.turn(NOW + HOUR) == figures


async def test_level_b_takes_the_policys_share(db: SessionFactory, clean_db: PostgresForTests) -> None:
    roster = Roster(clean_db.admin_url, db, 5, level="B")
    figures = await roster.turn()
    assert (figures.sample_size, roster.world.one("SELECT percent FROM effectiveness_round")) == (3, 50)


async def test_a_non_responder_fails_the_round_widens_it_and_is_chased_again(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    roster = Roster(clean_db.admin_url, db, 12, level="C")
    await roster.turn()
    lost, kept = (row["consignee_id"] for row in roster.pending())
    await roster.all_pass(but=[lost])
    widened = await roster.turn(NOW + 2 * HOUR)
    assert (widened.sequence, widened.level, widened.passed, widened.reopened) == (2, "B", None, 1)
    assert widened.sample_size == widened.pending == 5, "six of twelve must pass; one has"
    chased = roster.world.one("SELECT state, step, next_step_at FROM consignee WHERE id = %s", lost)
    assert chased == {"state": "open", "step": 0, "next_step_at": NOW + 2 * HOUR}
    case = roster.world.one("SELECT consignee_id, reason, subject, state FROM consignee_case")
    failed = roster.world.one("SELECT id FROM effectiveness_check WHERE consignee_id = %s ORDER BY id LIMIT 1", lost)
    assert case == {"consignee_id": lost, "reason": "effectiveness", "subject": f"check:{failed}", "state": "open"}
    assert await roster.turn(NOW + 2 * HOUR) == widened, "a repeat still says that somebody is to be chased"
    roster.world.run("UPDATE consignee SET step = 1 WHERE id = %s", lost)
    assert (await roster.turn(NOW + 2 * HOUR)).reopened == 0, "the campaign has taken it up"
    sample = {row["consignee_id"] for row in roster.pending()}
    assert lost in sample
    assert kept not in sample


async def test_whoever_failed_is_checked_again_only_after_it_has_answered_again(roster: Roster) -> None:
    await roster.turn()
    lost = roster.pending()[0]["consignee_id"]
    await roster.all_pass(but=[lost])
    figures = await roster.turn(NOW + 2 * HOUR)
    assert (figures.sequence, figures.level, figures.sample_size, figures.next_due_at) == (2, "A", 1, None)
    assert roster.world.rows("SELECT id FROM task WHERE key = %s", f"check:2:{lost}") == []
    (check,) = roster.pending()
    with pytest.raises(effectiveness_checks.NotAnswered, match="open"):
        await roster.record(check["id"])
    async with roster.db() as session:
        kept = [row.pending for row in await mass_balance.pending(session, NUMBER, list(roster.states()))]
    assert kept == [4, 4, 4, 4], "its earlier answer stays in the mass balance"
    roster.answer_again(lost, NOW + 3 * HOUR)
    await roster.turn(NOW + 3 * HOUR)
    assert roster.world.one("SELECT state FROM task WHERE key = %s", f"check:2:{lost}") == "offered"
    assert roster.world.one("SELECT state, outcome FROM consignee_case") == {
        "state": "closed",
        "outcome": "answered again",
    }
    await roster.all_pass(at=NOW + 4 * HOUR)
    assert (await roster.turn(NOW + 5 * HOUR)).passed is True


async def test_a_silent_one_that_is_documented_in_the_end_does_not_block_for_ever(roster: Roster) -> None:
    await roster.turn()
    lost = roster.pending()[0]["consignee_id"]
    await roster.all_pass(but=[lost])
    await roster.turn(NOW + 2 * HOUR)
    roster.world.run("UPDATE consignee SET state = 'documented' WHERE id = %s", lost)
    figures = await roster.turn(NOW + 3 * HOUR)
    rounds = roster.world.rows("SELECT sequence, sample_size, outcome FROM effectiveness_round ORDER BY sequence")
    assert [tuple(row.values()) for row in rounds] == [(1, 4, "failed"), (2, 1, "failed"), (3, 0, "passed")]
    assert (figures.sequence, figures.population, figures.passed, figures.reopened) == (3, 3, True, 0)
    assert roster.states()[lost] == "documented", "its account stands"
    never = roster.world.rows("SELECT passed FROM effectiveness_check WHERE consignee_id = %s", lost)
    assert [row["passed"] for row in never] == [False, False], "a non-responder never passes"


async def test_a_sampled_consignee_that_leaves_the_recall_is_not_judged(roster: Roster) -> None:
    await roster.turn()
    gone, *others = roster.pending()
    roster.world.run("UPDATE consignee SET state = 'withdrawn' WHERE id = %s", gone["consignee_id"])
    for row in others:
        await roster.record(row["id"])
    figures = await roster.turn(NOW + 2 * HOUR)
    assert (figures.sequence, figures.passed) == (1, True)
    assert roster.world.one("SELECT state FROM effectiveness_check WHERE id = %s", gone["id"]) == "void"
    assert roster.world.one("SELECT state FROM task WHERE consignee_id = %s", gone["consignee_id"]) == "cancelled"


async def test_whoever_joins_or_answers_anew_after_a_passed_round_is_checked_as_well(roster: Roster) -> None:
    await roster.turn()
    await roster.all_pass()
    assert (await roster.turn(NOW + 2 * HOUR)).passed is True
    again = next(iter(roster.states()))
    roster.answer_again(again, NOW + 3 * HOUR)
    figures = await roster.turn(NOW + 3 * HOUR)
    assert (figures.sequence, figures.level, figures.sample_size, figures.passed) == (2, "A", 1, None)
    assert [row["consignee_id"] for row in roster.pending()] == [again]


async def test_joining_consignees_are_waited_for_before_they_are_drawn(roster: Roster) -> None:
    await roster.turn()
    await roster.all_pass()
    await roster.turn(NOW + 2 * HOUR)
    one = next(iter(roster.states()))
    roster.world.run("UPDATE consignee SET state = 'acknowledged', answered_at = %s WHERE id = %s", NOW + 9 * HOUR, one)
    figures = await roster.turn(NOW + 3 * HOUR)
    assert (figures.sequence, figures.pending, figures.passed) == (1, 0, False)


@pytest.mark.parametrize(
    ("quantity", "facts", "why"),
    [
        (4, (True, True, False), "not acted"),
        (5, YES, "lot N7: 5 found, 4 expected"),
        (3, YES, "lot N7: 3 found, 4 expected, not explained"),
    ],
)
async def test_a_check_fails_by_fact_or_by_count(
    roster: Roster, quantity: int, facts: tuple[bool, bool, bool], why: str
) -> None:
    await roster.turn()
    first = roster.pending()[0]
    check = await roster.record(first["id"], roster.passing(quantity, facts))
    assert (check.state, check.passed, check.why) == ("done", False, why)
    assert (check.received, check.understood, check.acted) == facts
    closed = roster.world.one("SELECT state, outcome FROM task WHERE key = %s", f"check:1:{first['consignee_id']}")
    assert closed == {"state": "done", "outcome": f"failed: {why}"}


async def test_units_that_came_back_since_are_not_expected_there(roster: Roster) -> None:
    await roster.turn()
    first = roster.pending()[0]
    place = next(place for place, known in roster.world.consignees.items() if known == first["consignee_id"])
    plant = min(roster.world.chain.places)
    roster.world.moved("return", roster.lot, 3, place, plant, T0 + 2 * HOUR)
    check = await roster.record(first["id"], roster.passing(1))
    assert check.passed
    assert check.found == [
        {"lot_id": roster.lot, "lot": "N7", "found": "1", "expected": "1", "explanation": None},
    ]


async def test_every_lot_must_be_counted_once_and_no_other(roster: Roster) -> None:
    await roster.turn()
    check = roster.pending()[0]["id"]
    with pytest.raises(effectiveness_checks.FoundFaults) as missing:
        await roster.record(check, Findings(YES, (), "phone", "x"))
    assert missing.value.faults == (("found", f"expected the quantity found of lot N7 (id {roster.lot})"),)
    twice = (Counted(roster.lot, Decimal(4)), Counted(roster.lot, Decimal(0)), Counted(99999, Decimal(1)))
    with pytest.raises(effectiveness_checks.FoundFaults) as extra:
        await roster.record(check, Findings(YES, twice, "phone", "x"))
    assert [where for where, _ in extra.value.faults] == ["found/0/lot_id", "found/2/lot_id"]
    assert roster.world.one("SELECT state FROM effectiveness_check WHERE id = %s", check) == "pending"


async def test_a_repeated_request_finds_its_check_and_another_is_refused(roster: Roster) -> None:
    await roster.turn()
    check = roster.pending()[0]["id"]
    first = await roster.record(check, request="same")
    again = await roster.record(check, roster.passing(0), request="same")
    assert (first.passed, again.passed, again.id) == (True, True, check)
    with pytest.raises(effectiveness_checks.CheckNotOpen, match="done"):
        await roster.record(check, request="other")
    with pytest.raises(effectiveness_checks.CheckUnknown):
        await roster.record(999_999)


async def test_the_audit_knows_the_facts_and_not_the_person(roster: Roster) -> None:
    await roster.turn()
    await roster.record(roster.pending()[0]["id"])
    event = roster.world.one("SELECT actor, data::text AS data FROM audit_event WHERE action = 'effectiveness.checked'")
    assert event["actor"] == "quinn"
    assert '"received": true' in event["data"]
    assert "Nurse" not in event["data"]


async def test_once_the_level_is_met_the_head_of_quality_is_asked_for_what_is_missing(roster: Roster) -> None:
    await roster.turn()
    await roster.all_pass()
    lost = next(iter(roster.world.consignees))
    reply = roster.world.statement(lost, {roster.lot: {"used": 3, "on_hand": 4, "held": 4}}, at=T0 + HOUR)

    def asked() -> list[dict[str, Any]]:
        return roster.world.rows("SELECT key, role, state FROM task WHERE step = 'unaccounted' ORDER BY id")

    await roster.turn(NOW + 2 * HOUR)
    task = {"key": "unaccounted:1", "role": "head_of_quality", "state": "offered"}
    assert asked() == [task]
    await roster.turn(NOW + 3 * HOUR)
    assert asked() == [task], "asked once"
    roster.world.run("UPDATE reply_line SET used = 6 WHERE reply_id = %s", reply)
    await roster.turn(NOW + 4 * HOUR)
    assert asked() == [task | {"state": "cancelled"}], "found after all"
    roster.world.run("UPDATE reply_line SET used = 2 WHERE reply_id = %s", reply)
    await roster.turn(NOW + 5 * HOUR)
    assert [row["key"] for row in asked()] == ["unaccounted:1", "unaccounted:2"]
