"""Two recalls of one lot keep apart, and a drill of the same lot reaches nobody."""

import re

import pytest

from tests.e2e.facts import check_audit, delivery_of
from tests.e2e.killing import mailed
from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World
from tests.support.stack import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
_NUMBER = re.compile(r"R[CD]-\d{4}-\d{6}")


@pytest.fixture(scope="module")
def pair(world: World) -> tuple[RecallCase, RecallCase]:
    """Two recalls of the same lot, both notified."""
    first, second = (world.case("Shared").start() for _ in range(2))
    for case in (first, second):
        case.release(case.to_notice())
    group = first.group
    wait_for("both notices to everybody", lambda: len(mailed(world, first, 2)) == len(group.by_mail))
    wait_for("both text messages", lambda: len(world.sinks.texts(group)) == 2 * len(group.by_sms))
    return first, second


def _open(case: RecallCase) -> set[str]:
    return {each["partner_code"] for each in case.consignees() if each["state"] == "open"}


def test_each_recall_has_its_own_notices_holds_and_answers(world: World, pair: tuple[RecallCase, RecallCase]) -> None:
    first, second = pair
    group = first.group
    for case in pair:
        mine = {each["id"] for each in case.deliveries()}
        mails = [mail for mail in world.sinks.mails(group) if delivery_of(mail) in mine]
        assert {mail["to"] for mail in mails} == {each.email for each in group.by_mail}
        assert all(set(_NUMBER.findall(mail["text"])) == {case.number} for mail in mails)
        holds = world.office.all(f"{case.base}/holds")
        assert sum(float(hold["quantity"]) for hold in holds) == 40, "each recall claims all of the stock"
    of_first = {each["id"] for each in first.deliveries()}
    mail = next(mail for mail in world.sinks.mails(group) if delivery_of(mail) in of_first)
    who = group.of(mail["to"])
    Recipient(world.office.http, mail).state_quantities(who.quantity)
    assert who.code not in _open(first)
    assert who.code in _open(second)


def test_a_text_that_names_no_recall_is_asked_which_one_and_counts_for_none(
    world: World, pair: tuple[RecallCase, RecallCase]
) -> None:
    first, second = pair
    text = world.sinks.texts(first.group)[0]
    code = first.group.of(text["to"]).code
    asked = world.sinks.answer_text(text, "1")
    assert len(asked["answers"]) == 1
    assert code in _open(first) & _open(second)
    world.sinks.answer_text(text, f"1 {second.number}")
    assert code in _open(first)
    assert code not in _open(second)
    for case in pair:
        check_audit(case)


def test_a_drill_of_the_same_lot_runs_to_its_campaign_and_sends_nothing(
    world: World, pair: tuple[RecallCase, RecallCase]
) -> None:
    group = pair[0].group
    mails, texts = len(world.sinks.mails(group)), len(world.sinks.texts(group))
    drill = world.case("Shared").start(drill=True)
    assert drill.number.startswith("RD-")
    drill.release(drill.to_notice())

    def settled() -> bool:
        made = drill.deliveries()
        return len(made) >= len(group.consignees) and all(
            each["state"] not in {"pending", "submitting"} for each in made
        )

    wait_for("the drill's deliveries to be settled", settled, 60, 0.2)
    assert len(world.sinks.mails(group)) == mails
    assert len(world.sinks.texts(group)) == texts
    check_audit(drill)
    for case in pair:
        check_audit(case)
    assert mails == 2 * len(group.by_mail)
