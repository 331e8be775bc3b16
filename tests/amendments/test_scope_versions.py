"""Scope versions: only the difference is held, asked for and withdrawn, once, and never what another recall claims."""

from decimal import Decimal

import psycopg
import pytest
from temporalio.exceptions import ApplicationError

from db.repositories import holds
from domain.scope import LotRef, ScopeCriteria, SerialRef
from tests.amendments.story import DAY, NOW, NUMBER, OTHER_RECALL, Story
from tests.support.chain import Chain, Move

pytestmark = pytest.mark.db


async def traced_and_held(story: Story) -> None:
    await story.trace()
    async with story.sessions.begin() as session:
        await holds.request_holds(session, NUMBER, 1, NOW)


async def test_an_expansion_holds_and_asks_for_the_difference_only(story: Story) -> None:
    await traced_and_held(story)
    before = story.rows("SELECT *, xmin FROM hold ORDER BY id")
    change = await story.amend("expand", 2, "B1")
    assert (change.lots_added, change.lots_removed) == (1, 0)
    assert (change.consignees_added, change.consignees_changed, change.consignees_withdrawn) == (1, 1, 0)
    assert story.scope(1) == {"RAW", "A1", "A2", "C1"}, "the version before stays as it was"
    assert story.scope(2) == {"RAW", "A1", "A2", "B1", "C1"}
    after = story.rows("SELECT *, xmin FROM hold ORDER BY id")
    assert after[: len(before)] == before
    assert story.holds()["B1"] == (Decimal(30), "requested")
    event = story.event("scope.expanded")
    assert (event["actor"], event["role"], event["reason"]) == ("ada", "head_of_quality", "the laboratory found more")
    assert event["data"]["change"]["lots_added"] == 1
    row = story.rows("SELECT * FROM scope_version WHERE version = 2")[0]
    assert (row["change"], row["decided_by"], len(row["criteria"]["parts"])) == ("expand", "ada", 2)
    assert change.figures.scope_version == 2
    assert story.rows("SELECT scope_version FROM recall WHERE number = %s", NUMBER)[0]["scope_version"] == 2


async def test_a_reduction_turns_holds_into_nonconformities_and_leaves_another_recalls_claim(story: Story) -> None:
    await traced_and_held(story)
    story.run("INSERT INTO scope_lot VALUES (%s, 1, %s, true, 0)", OTHER_RECALL, story.lots["A2"])
    async with story.sessions.begin() as session:
        await holds.request_holds(session, OTHER_RECALL, 1, NOW)
    others = story.rows("SELECT *, xmin FROM hold WHERE recall_number = %s", OTHER_RECALL)
    change = await story.amend("reduce", 2, "A2")
    assert (change.lots_removed, change.holds_to_nonconformity) == (1, 1)
    assert (change.consignees_changed, change.consignees_withdrawn, change.told) == (1, 1, 0)
    assert not change.notice_needed, "nobody has been told anything yet"
    assert story.scope(2) == {"RAW", "A1", "C1"}
    assert story.holds()["A2"] == (Decimal(20), "nonconformity")
    assert story.holds()["A1"] == (Decimal(10), "requested")
    assert others == story.rows("SELECT *, xmin FROM hold WHERE recall_number = %s", OTHER_RECALL)
    assert story.states()["far"][0] == "withdrawn"
    assert await story.asked("far") == set()
    assert await story.asked("both") == {"A1"}
    assert story.event("scope.reduced")["reason"] == "these conform"


@pytest.mark.parametrize("change", ["expand", "reduce"])
async def test_an_amendment_that_runs_again_answers_the_same_and_changes_no_row(story: Story, change: str) -> None:
    await traced_and_held(story)
    name = "B1" if change == "expand" else "A2"
    first = await story.amend(change, 2, name)
    before = story.dump()
    assert await story.amend(change, 2, name) == first
    assert story.dump() == before


async def test_what_descends_only_from_a_lot_goes_with_it_and_what_has_another_root_stays(story: Story) -> None:
    await story.trace()
    await story.amend("expand", 2, "OTHER")
    assert story.scope(2) == {"RAW", "A1", "A2", "C1", "OTHER"}
    change = await story.amend("reduce", 3, "RAW")
    assert change.lots_removed == 3
    assert story.scope(3) == {"OTHER", "C1"}, "C1 is made from OTHER as well"
    assert {name: state for name, (state, _) in story.states().items()} == {
        "near": "withdrawn",
        "far": "withdrawn",
        "both": "withdrawn",
        "mixed": "open",
    }


async def test_a_lot_taken_out_stays_out_when_records_arrive_and_comes_back_by_an_expansion(story: Story) -> None:
    await traced_and_held(story)
    await story.amend("reduce", 2, "A2")
    await story.trace(2, NOW + 5 * DAY)
    assert story.scope(2) == {"RAW", "A1", "C1"}
    change = await story.amend("expand", 3, "A2")
    assert (change.lots_added, change.consignees_added, change.consignees_changed) == (1, 1, 1)
    assert story.scope(3) == story.scope(1)
    assert story.holds()["A2"] == (Decimal(20), "requested"), "its claim is taken up again"
    assert story.states()["far"][0] == "open"
    assert await story.asked("far") == {"A2"}


async def test_records_that_arrive_add_to_the_newest_version_only(story: Story) -> None:
    await story.trace()
    await story.amend("expand", 2, "B1")
    late = Chain(base=5000)
    clinic = late.place()
    late.write(story.url)
    product = int(story.rows("SELECT product_id FROM lot WHERE id = %s", story.lots["B1"])[0]["product_id"])
    move = Move(9001, "shipment", product, story.lots["B1"], None, clinic, Decimal(7), NOW, delivered=True)
    with psycopg.connect(story.url) as owner:
        Chain.write_moves(owner, [move])
    before = story.rows("SELECT *, xmin FROM scope_lot WHERE scope_version = 1")
    figures = await story.trace(1, NOW + 5 * DAY)
    assert figures.scope_version == 2, "an older number, from a wait that began before the change, means the newest"
    assert before == story.rows("SELECT *, xmin FROM scope_lot WHERE scope_version = 1")
    row = story.rows(
        "SELECT cl.scope_version FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id"
        " WHERE c.partner_id = %s",
        clinic,
    )
    assert row == [{"scope_version": 2}]


@pytest.mark.parametrize(
    ("change", "version", "lots", "complaint"),
    [
        ("expand", 3, ("B1",), "the next one is 2"),
        ("expand", 2, ("A1",), "add no lot"),
        ("reduce", 2, ("B1",), "expected lots of scope version 1"),
        ("reduce", 2, (), "none named"),
        ("reduce", 2, ("RAW",), "cancel the recall instead"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_nothing_is_written(
    story: Story, change: str, version: int, lots: tuple[str, ...], complaint: str
) -> None:
    await story.trace()
    before = story.dump()
    with pytest.raises(ApplicationError, match=complaint) as caught:
        await story.amend(change, version, *lots, **({} if lots or change == "reduce" else {"added": None}))
    assert (caught.value.type, caught.value.non_retryable) == ("InvalidInput", True)
    assert story.dump() == before


async def test_criteria_of_nothing_on_record_are_refused_for_good(story: Story) -> None:
    await story.trace()
    unknown = ScopeCriteria(lots=(LotRef(product_code="P?", number="N?"),))
    with pytest.raises(ApplicationError, match=r"lots: P\?:N\?") as caught:
        await story.amend("expand", 2, added=unknown)
    assert (caught.value.type, caught.value.non_retryable) == ("InvalidInput", True)


async def test_a_version_nobody_decided_is_not_traced(story: Story) -> None:
    await story.trace()
    with pytest.raises(ApplicationError, match="scope version 2: the newest one is 1"):
        await story.trace(2)


async def test_whoever_is_left_without_a_lot_keeps_no_open_task_and_no_open_case(story: Story) -> None:
    await story.trace()
    far = story.consignees()["far"]["id"]
    for key in (f"call:{far}", f"complaint:{far}"):
        story.run(
            "INSERT INTO task (recall_number, key, step, what, role, consignee_id, evidence_required, state, opened_at)"
            " VALUES (%s, %s, 'phone_call', 'x', 'qa', %s, false, 'offered', %s)",
            NUMBER,
            key,
            far,
            NOW,
        )
    story.run(
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, state, opened_at)"
        " VALUES (%s, %s, 'silence', 'open', %s)",
        NUMBER,
        far,
        NOW,
    )
    await story.amend("reduce", 2, "A2")
    states = {row["key"]: row["state"] for row in story.rows("SELECT key, state FROM task")}
    assert states == {f"call:{far}": "cancelled", f"complaint:{far}": "offered"}, "harm is looked into all the same"
    assert story.rows("SELECT state, outcome FROM consignee_case") == [
        {"state": "closed", "outcome": "no lot of the recall is left with this consignee"}
    ]


async def test_further_units_of_a_lot_in_scope_by_serial_are_told_to_whoever_has_it(story: Story) -> None:
    await traced_and_held(story)
    story.run("INSERT INTO serial (lot_id, number) SELECT %s, 'S' || n FROM generate_series(1, 9) n", story.lots["B1"])

    def units(*numbers: str) -> ScopeCriteria:
        named = tuple(SerialRef(product_code=story.products["B1"], number=number) for number in numbers)
        return ScopeCriteria(serials=named)

    change = await story.amend("expand", 2, added=units("S1", "S2"))
    assert (change.lots_added, change.consignees_added) == (1, 1)
    assert story.holds()["B1"] == (Decimal(30), "requested"), "all of the lot is held: nobody has sorted it yet"
    change = await story.amend("expand", 3, added=units("S2", "S3"))
    assert (change.lots_added, change.consignees_added + change.consignees_changed) == (0, 2)
    assert story.holds()["B1"] == (Decimal(30), "requested")
    with pytest.raises(ApplicationError, match="add no lot to the scope, and no unit"):
        await story.amend("expand", 4, added=units("S3"))
    assert story.event("scope.expanded")["data"]["trace_run"] == 3
    change = await story.amend("expand", 4, "B1")
    assert (change.lots_added, change.consignees_added + change.consignees_changed) == (0, 2)
    assert not story.rows("SELECT FROM scope_lot WHERE scope_version = 4 AND by_serial")
