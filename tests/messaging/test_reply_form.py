"""The recipient's form: every path through the steps, and every answer that is asked again."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.reply_fields import FieldError, PageLot, ReplyStep, all_fields
from api.reply_form import FormReading, LotAnswer, ReceiverAnswer, read_form, receivers_shown

pytestmark = pytest.mark.unit
LOTS = (
    PageLot("7", "HIV kit", "SCMS-10-IE", Decimal(100), "test", "05391516740012", date(2026, 3, 4)),
    PageLot("9", "HIV kit", "SCMS-31-IE", Decimal("40.5"), "test"),
)
ACKNOWLEDGED = {"acknowledged": "yes"}
AFFECTED = {**ACKNOWLEDGED, "affected": "yes"}
FIGURES = {
    **AFFECTED,
    "on_hand-7": "60",
    "held-7": "60",
    "used-7": "40",
    "passed_on-7": "0",
    "on_hand-9": "0",
    "held-9": "0",
    "used-9": "40.5",
    "passed_on-9": "0",
}
PASSING_ON = {**FIGURES, "used-7": "10", "passed_on-7": "30"}
RECEIVER = {
    "to-0-lot": "7",
    "to-0-quantity": "30",
    "to-0-name": "Clinic Sud",
    "to-0-email": "stores@clinic.example",
}
PERSON = {"responder_name": "A. Kouassi", "responder_role": "Head of stores"}


def post(step: str, values: Mapping[str, str], **more: str) -> FormReading:
    return read_form({"step": step, "form_id": "f", "lang": "en", **values, **more}, LOTS)


def complaints(reading: FormReading) -> list[tuple[str, str]]:
    return [(error.field, error.message) for error in reading.errors]


def test_the_whole_way_ends_in_a_complete_answer() -> None:
    assert post("acknowledge", ACKNOWLEDGED).step is ReplyStep.AFFECTED
    assert post("affected", AFFECTED).step is ReplyStep.LOTS
    assert post("lots", PASSING_ON).step is ReplyStep.PASSED_ON
    assert post("passed_on", {**PASSING_ON, **RECEIVER}).step is ReplyStep.PERSON
    done = post("person", {**PASSING_ON, **RECEIVER, **PERSON, "remark": "Locker 3"})
    assert (done.step, done.errors) == (ReplyStep.DONE, ())
    assert done.answer is not None
    assert done.answer.affected
    assert done.answer.lots == (
        LotAnswer("7", Decimal(60), Decimal(60), Decimal(10), Decimal(30)),
        LotAnswer("9", Decimal(0), Decimal(0), Decimal("40.5"), Decimal(0)),
    )
    assert done.answer.receivers == (ReceiverAnswer("7", Decimal(30), "Clinic Sud", "stores@clinic.example", None),)
    assert (done.answer.responder_name, done.answer.remark) == ("A. Kouassi", "Locker 3")
    assert not done.answer.quantities_confirmed


def test_not_affected_is_a_statement_of_zero_about_every_lot() -> None:
    values = {**ACKNOWLEDGED, "affected": "no"}
    assert post("affected", values).step is ReplyStep.PERSON
    done = post("person", {**FIGURES, **values, **RECEIVER, **PERSON})
    assert done.answer is not None
    assert not done.answer.affected
    assert [lot.on_hand + lot.used + lot.held + lot.passed_on for lot in done.answer.lots] == [0, 0]
    assert done.answer.receivers == ()


def test_nothing_passed_on_skips_the_receivers() -> None:
    assert post("lots", FIGURES).step is ReplyStep.PERSON


def test_an_empty_box_is_not_zero() -> None:
    values = {name: text for name, text in FIGURES.items() if name != "used-7"}
    reading = post("lots", values)
    assert reading.step is ReplyStep.LOTS
    assert reading.errors == (FieldError("used-7", "error_required", lot_key="7"),)
    assert reading.values["on_hand-7"] == "60"


@pytest.mark.parametrize("text", ["1,200", "1.2.3", "-1", "ten", "1e3", "1 2", "٣", "0.1234567", "NaN", "+1"])
def test_a_figure_that_could_be_misread_is_asked_again(text: str) -> None:
    assert complaints(post("lots", {**FIGURES, "used-7": text})) == [("used-7", "error_number")]


def test_full_width_digits_are_digits() -> None:
    reading = post("lots", {**FIGURES, "on_hand-7": "６０", "held-7": "５９．５"})
    assert reading.step is ReplyStep.PERSON
    assert (reading.values["on_hand-7"], reading.values["held-7"]) == ("60", "59.5")


def test_an_absurdly_large_figure_is_refused() -> None:
    assert complaints(post("lots", {**FIGURES, "used-7": "9" * 13})) == [("used-7", "error_too_large")]


def test_more_set_aside_than_there_is_is_asked_again() -> None:
    assert complaints(post("lots", {**FIGURES, "held-7": "61"})) == [("held-7", "error_held")]


def test_more_than_was_shipped_is_asked_back_once_and_then_taken() -> None:
    values = {**FIGURES, "used-7": "41"}
    reading = post("lots", values)
    assert complaints(reading) == [("on_hand-7", "error_more_than_shipped")]
    assert reading.errors[0].values == {"stated": "101", "shipped": "100"}
    unexplained = post("lots", values, confirm_quantities="yes")
    assert complaints(unexplained) == [("confirm_reason", "error_confirm_reason")]
    kept = {"confirm_quantities": "yes", "confirm_reason": "ten came from our other site"}
    assert post("lots", values, **kept).step is ReplyStep.PERSON
    done = post("person", {**values, **PERSON, **kept})
    assert done.answer is not None
    assert done.answer.quantities_confirmed


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to-0-name": ""}, ("to-0-name", "error_receiver_name")),
        ({"to-0-email": ""}, ("to-0-email", "error_receiver_contact")),
        ({"to-0-email": "nobody"}, ("to-0-email", "error_receiver_email")),
        ({"to-0-phone": "call me"}, ("to-0-phone", "error_receiver_phone")),
        ({"to-0-quantity": "31"}, ("to-0-quantity", "error_receiver_too_many")),
        ({"to-0-quantity": ""}, ("to-0-quantity", "error_required")),
        ({"to-0-lot": "9"}, ("to-0-lot", "error_receiver_lot")),
        ({"to-0-lot": "8"}, ("to-0-lot", "error_receiver_lot")),
    ],
)
def test_a_receiver_must_be_reachable_and_fit_the_figures(changes: dict[str, str], expected: tuple[str, str]) -> None:
    reading = post("passed_on", {**PASSING_ON, **RECEIVER, **changes})
    assert reading.step is ReplyStep.PASSED_ON
    assert complaints(reading) == [expected]


def test_units_passed_on_to_nobody_are_asked_for() -> None:
    assert complaints(post("passed_on", PASSING_ON)) == [("to-0-name", "error_receiver_missing")]


def test_units_that_are_left_over_are_asked_for_in_the_next_block_and_need_not_be_invented() -> None:
    one_of_thirty = {**PASSING_ON, **RECEIVER, "to-0-quantity": "1"}
    asked = post("passed_on", one_of_thirty)
    assert complaints(asked) == [("to-1-name", "error_receiver_rest")]
    assert dict(asked.errors[0].values) == {"rest": "29", "passed_on": "30"}
    given_up = {**one_of_thirty, "confirm_receivers": "yes"}
    assert post("passed_on", given_up).step is ReplyStep.PERSON
    done = post("person", {**given_up, **PERSON})
    assert done.answer is not None
    assert [receiver.quantity for receiver in done.answer.receivers] == [Decimal(1)]
    assert post("passed_on", {**PASSING_ON, "confirm_receivers": "yes"}).step is ReplyStep.PERSON, "nor one of them"
    wrong = {**given_up, "to-0-email": "nobody"}
    assert complaints(post("passed_on", wrong)) == [("to-0-email", "error_receiver_email")]


def test_whoever_has_more_receivers_than_blocks_is_led_to_the_box_for_it() -> None:
    twenty = {
        f"to-{index}-{name}": text
        for index in range(20)
        for name, text in {"lot": "7", "quantity": "1", "name": f"C{index}", "email": f"c{index}@x.example"}.items()
    }
    assert complaints(post("passed_on", {**PASSING_ON, **twenty})) == [("confirm_receivers", "error_receiver_rest")]


def test_two_receivers_share_a_lot_but_not_more_than_it() -> None:
    second = {"to-1-lot": "7", "to-1-name": "B", "to-1-phone": "+225 27 20 00 00", "to-0-quantity": "20"}
    good = post("passed_on", {**PASSING_ON, **RECEIVER, **second, "to-1-quantity": "10"})
    assert good.step is ReplyStep.PERSON
    bad = post("passed_on", {**PASSING_ON, **RECEIVER, **second, "to-1-quantity": "11"})
    assert complaints(bad) == [("to-1-quantity", "error_receiver_too_many")]


def test_a_post_that_jumps_ahead_is_led_back_to_what_is_missing() -> None:
    assert post("person", PERSON).step is ReplyStep.ACKNOWLEDGE
    assert post("person", {**ACKNOWLEDGED, **PERSON}).step is ReplyStep.AFFECTED
    assert post("person", {**AFFECTED, **PERSON}).step is ReplyStep.LOTS
    assert post("person", {**FIGURES, "held-7": "999", **PERSON}).step is ReplyStep.LOTS
    assert post("nonsense", {}).step is ReplyStep.ACKNOWLEDGE
    assert post("done", {**FIGURES, **PERSON}).answer is None


def test_name_and_role_are_owed() -> None:
    expected = [("responder_name", "error_name"), ("responder_role", "error_role")]
    assert complaints(post("person", {**FIGURES, "responder_name": " \u200b "})) == expected


def test_back_language_and_more_keep_what_was_typed_unchecked() -> None:
    odd = {**PASSING_ON, "used-7": "abc"}
    for button, step in ((("back"), ReplyStep.AFFECTED), (("switch_lang"), ReplyStep.LOTS)):
        reading = post("lots", odd, **{button: "zh-CN"})
        assert (reading.step, reading.errors, reading.values["used-7"]) == (step, (), "abc")
    more = post("passed_on", {**PASSING_ON, **RECEIVER, "to-0-name": ""}, more="yes")
    assert (more.step, more.errors) == (ReplyStep.PASSED_ON, ())


def test_receiver_blocks_grow_with_what_is_filled_in() -> None:
    assert receivers_shown(PASSING_ON, LOTS) == 1
    assert receivers_shown({**PASSING_ON, "passed_on-9": "1"}, LOTS) == 2
    assert receivers_shown({**PASSING_ON, "to-4-name": "x"}, LOTS) == 6
    assert receivers_shown({**PASSING_ON, **RECEIVER}, LOTS) == 1, "everything has a receiver"
    assert receivers_shown({**PASSING_ON, **RECEIVER, "more": "yes"}, LOTS) == 2
    assert receivers_shown({**PASSING_ON, **RECEIVER, "to-0-quantity": "29"}, LOTS) == 2, "one unit has none"
    assert receivers_shown({**PASSING_ON, "to-19-name": "x", "more": "yes"}, LOTS) == 20


def test_fields_of_other_lots_are_ignored() -> None:
    assert "on_hand-8" not in post("lots", {**FIGURES, "on_hand-8": "5", "admin": "1"}).values


_TEXTS = st.sampled_from(["", "0", "1", "40", "1000", "yes", "no", "7", "9", "x", "²", "½", "a@b.cc", "1" * 400])


@given(form=st.dictionaries(st.sampled_from([*all_fields(LOTS), "step", "more", "back"]), _TEXTS))
def test_no_form_whatsoever_breaks_the_reader(form: dict[str, str]) -> None:
    for step in ReplyStep:
        reading = read_form({**form, "step": step.value}, LOTS)
        assert (reading.answer is not None) == (reading.step is ReplyStep.DONE)
        assert set(reading.values) <= set(all_fields(LOTS))
