"""The files of a notice are checked as they go out: one left out, drawn of another text or softened is refused."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from activities.enclosures import enclose
from activities.notice_letters import read_letters
from activities.notice_rendering import TEMPLATES
from domain.channels import Channel
from domain.notice_body import ApprovedBody, with_enclosed
from domain.notice_check import Refusal, check_notice
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_enclosure import Enclosed, StoredLetter
from tests.messaging.test_notice_rendering import HOSTILE
from tests.notice_content.facts import CHANGED, OTHERS, RENDERER, RULES, changed

pytestmark = pytest.mark.unit
LAWS = ("us-fda", "eu-mdr")
ASKED = (
    (NoticeKind.INITIAL, Channel.EMAIL),
    (NoticeKind.REMINDER, Channel.EMAIL),
    (NoticeKind.AMENDMENT, Channel.EMAIL),
    (NoticeKind.RETRACTION, Channel.EMAIL),
    (NoticeKind.CLOSURE, Channel.EMAIL),
    (NoticeKind.AMENDMENT, Channel.WEBHOOK),
    (NoticeKind.CLOSURE, Channel.WEBHOOK),
    (NoticeKind.SUB_RECALL, Channel.WEBHOOK),
)
SOFTENED = CHANGED.texts.model_copy(update={"hazard": "A false negative result can delay treatment."})


async def enclosed(
    context: NoticeContext = CHANGED,
    language: str = "en",
    asked: Sequence[tuple[NoticeKind, Channel]] = ASKED,
) -> list[ApprovedBody]:
    bodies = [RENDERER.render_for_approval(kind, channel, language, context) for kind, channel in asked]
    return await enclose(bodies, context, TEMPLATES)


async def refused(bodies: Sequence[ApprovedBody], context: NoticeContext = CHANGED) -> list[Refusal]:
    found = check_notice(bodies, context, LAWS, RULES, OTHERS, await read_letters(bodies))
    return [each for each in found.refusals if each.part == "enclosed"]


def named(found: Sequence[Refusal]) -> set[tuple[str, str]]:
    return {(each.element, each.body) for each in found}


def _with_letter(letter: dict[str, Any], stored: dict[str, Any]) -> None:
    stored["letter"] = letter


def other(body: ApprovedBody, change: Callable[[dict[str, Any]], None]) -> ApprovedBody:
    """The body with other enclosures."""
    stored = Enclosed.from_json(body.enclosed or {}).as_json()
    change(stored)
    return with_enclosed(body, stored)


@pytest.mark.parametrize("language", RENDERER.languages(NoticeKind.INITIAL, Channel.EMAIL))
async def test_the_files_of_a_good_notice_pass_in_every_language(language: str) -> None:
    assert await refused(await enclosed(language=language)) == []


@pytest.mark.parametrize("name", [*HOSTILE, "試薬キット 😀 ﬁn Ⅳ\u00a0½", "Kit " * 70])
async def test_the_files_pass_whatever_the_product_is_called(name: str) -> None:
    product = CHANGED.products[0].model_dump() | {"name": name}
    context = changed(CHANGED, products=[product], firm_name=name)
    bodies = await enclosed(context, asked=[(NoticeKind.INITIAL, Channel.EMAIL)])
    assert await refused(bodies, context) == []


async def test_the_files_pass_though_a_text_was_pasted_out_of_a_table() -> None:
    pasted = "Lot\tFailed\nA\t4 of 60\n\n\tDeath."
    context = changed(CHANGED, texts={"reason": pasted, "hazard": pasted}, translations={})
    bodies = await enclosed(context, asked=[(NoticeKind.INITIAL, Channel.EMAIL)])
    assert await refused(bodies, context) == []


@pytest.mark.parametrize(
    ("kind", "channel", "elements"),
    [
        (NoticeKind.INITIAL, Channel.EMAIL, {"machine_facts", "letter", "own_sheet"}),
        (NoticeKind.REMINDER, Channel.EMAIL, {"machine_facts", "letter", "own_sheet"}),
        (NoticeKind.RETRACTION, Channel.EMAIL, {"machine_facts", "letter", "own_sheet"}),
        (NoticeKind.AMENDMENT, Channel.WEBHOOK, {"machine_facts"}),
        (NoticeKind.CLOSURE, Channel.WEBHOOK, {"machine_facts"}),
        (NoticeKind.INITIAL, Channel.SMS, set()),
        (NoticeKind.CLOSURE, Channel.EMAIL, set()),
    ],
)
async def test_a_message_without_the_files_it_must_carry_is_refused(
    kind: NoticeKind, channel: Channel, elements: set[str]
) -> None:
    bare = RENDERER.render_for_approval(kind, channel, "en", CHANGED)
    assert {each.element for each in await refused([bare])} == elements


async def test_a_file_left_out_of_those_enclosed_is_refused_by_its_name() -> None:
    first, reminder, *_ = await enclosed()
    wordless = other(first, lambda stored: stored.update(words=None))
    assert named(await refused([wordless])) == {("own_sheet", "initial/email.en"), ("letter", "initial/email.en")}
    letterless = other(first, lambda stored: stored.update(letter=None))
    assert named(await refused([letterless, reminder])) == {
        ("letter", "initial/email.en"),
        ("letter", "reminder/email.en"),
    }
    [alone] = await refused([reminder])
    assert (alone.element, alone.body) == ("letter", "reminder/email.en")
    assert "initial" in alone.text


async def test_a_letter_drawn_of_another_text_is_refused_and_the_place_is_shown() -> None:
    first, *_ = await enclosed()
    softened = changed(CHANGED, texts=SOFTENED.model_dump())
    [other_body] = await enclosed(softened, asked=[(NoticeKind.INITIAL, Channel.EMAIL)])
    drawn = (other_body.enclosed or {})["letter"]
    [found] = await refused([other(first, lambda stored: stored.update(letter=drawn))])
    assert (found.element, found.body) == ("letter", "initial/email.en")
    assert "treatmentandcause" in found.text
    assert "treatmentandcause" in found.text_zh


async def test_a_letter_of_another_kind_or_language_is_refused() -> None:
    first, _, amendment, *_ = await enclosed()
    swapped = other(first, lambda stored: stored.update(letter_of="amendment"))
    assert named(await refused([swapped, amendment])) == {("letter", "initial/email.en")}
    [chinese] = await enclosed(language="zh-CN", asked=[(NoticeKind.INITIAL, Channel.EMAIL)])
    foreign = (chinese.enclosed or {})["letter"]
    found = await refused([other(first, lambda stored: stored.update(letter=foreign))])
    assert "letter" in {each.element for each in found}


async def test_a_letter_that_cannot_be_read_is_refused() -> None:
    first, *_ = await enclosed()
    anchor = (first.enclosed or {})["letter"]["anchor"]
    for content in (b"", b"no file of this kind", b"%PDF-1.7\n%%EOF"):
        letter = StoredLetter.of(content, anchor).model_dump()
        [found] = await refused([other(first, partial(_with_letter, letter))])
        assert found.element == "letter"
        assert "cannot be judged" in found.text
    changed_later = {**(first.enclosed or {})["letter"], "sha256": "0" * 64}
    [found] = await refused([other(first, lambda stored: stored.update(letter=changed_later))])
    assert "not the file that was approved" in found.text


async def test_a_sheet_that_would_come_out_illegible_is_refused() -> None:
    first, *_ = await enclosed()

    def shifted(stored: dict[str, Any]) -> None:
        codes = stored["letter"]["anchor"]["codes"]
        digits = [codes[each] for each in "0123456789"]
        codes.update(zip("1234567890", digits, strict=True))

    [found] = await refused([other(first, shifted)])
    assert found.element == "own_sheet"
    assert "lot.quantity" in found.text


@pytest.mark.parametrize(
    ("said", "element"),
    [
        ("Answer this notice. There is no risk to patients:", "no_reassurance"),
        ("Answer this notice; ask for our special offer:", "no_promotion"),
        ("Answer this notice for lot ZZ-4711:", "no_foreign_lot"),
        ("Answer this Class III notice:", "classification"),
        ("Answer at https://elsewhere.example instead of:", "own_sheet"),
    ],
)
async def test_words_of_the_sheet_that_no_notice_may_say_are_refused(said: str, element: str) -> None:
    first, *_ = await enclosed()
    spoilt = other(first, lambda stored: stored["words"].update(scan=said))
    assert named(await refused([spoilt])) == {(element, "initial/email.en")}
