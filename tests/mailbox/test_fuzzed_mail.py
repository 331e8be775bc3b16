"""Five hundred mails, whole and broken: each yields a reading that the record can take, in time, always the same."""

import time
from collections import Counter
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from domain.mail_kinds import MailKind
from domain.mail_reading import ReadMail, read_returned
from domain.return_path import ReturnKind, ReturnPath
from domain.sms_replies import SmsIntent
from tests.campaign.world import Person
from tests.mailbox import fuzzed, samples
from tests.mailbox.conftest import Office

DELIVERY = UUID("01890000-0000-7000-8000-00000000002a")
PATH = ReturnPath("a secret of sufficient length", "bounces@firm.example")
ANSWER_TO = PATH.address(DELIVERY, ReturnKind.ANSWER)
BOUNCE_TO = PATH.address(DELIVERY, ReturnKind.BOUNCE)
OURS = "more than "
"""How our own refusals begin: too many parts, on purpose not read."""


def read(raw: bytes) -> ReadMail:
    return read_returned(raw, PATH, "firm.example", "mx.firm.example")


def texts(found: ReadMail) -> list[str]:
    said = [found.answer.text, found.answer.recall_no] if found.answer else []
    told = [found.report.status, found.report.code, *found.report.recipients] if found.report else []
    return [each for each in (found.key, found.message_id, found.sender, found.fault, *said, *told) if each]


@pytest.mark.unit
def test_every_mail_yields_a_reading_that_the_record_can_take() -> None:
    kinds: Counter[MailKind] = Counter()
    for place, raw in enumerate(fuzzed.mails(500, 20261122, ANSWER_TO, BOUNCE_TO)):
        begun = time.thread_time()
        found = read(raw)
        assert time.thread_time() - begun < 2, place
        kinds[found.kind] += 1
        # The net under the reading is for what nobody has thought of: none of these may need it.
        assert found.fault is None or found.fault.startswith(OURS), (place, found.fault)
        for text in texts(found):
            assert "\0" not in text, (place, text)
            assert text.encode("utf-8"), place
        assert (len(found.key), len(found.sender) <= 320) == (40, True)
        assert found.answer is None or len(found.answer.text) <= 2_000
        assert (found.kind is MailKind.REPORT) == (found.report is not None)
        if place % 5 == 0:
            assert read(raw) == found, "the same mail reads the same"
    assert min(kinds[kind] for kind in (MailKind.PERSON, MailKind.REPORT, MailKind.AUTOMATIC)) > 15, kinds


@pytest.mark.unit
@pytest.mark.parametrize(
    ("charset", "text", "intent"),
    [
        ("gb18030", "已收到", SmsIntent.ACKNOWLEDGED),
        ("gb2312", "有患者受伤", SmsIntent.HARM),
        ("big5", "收到", SmsIntent.ACKNOWLEDGED),
        ("utf-16", "2", SmsIntent.NONE_LEFT),
        ("iso-2022-jp", "1", SmsIntent.HOLDING),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_an_answer_in_any_usual_charset_is_read(charset: str, text: str, intent: SmsIntent, html: bool) -> None:
    kind = "text/html" if html else "text/plain"
    head = samples.answer(ANSWER_TO, "s@h.example", "", content_type=f"{kind}; charset={charset}")
    said = f"<html><body><div>{text}</div></body></html>" if html else text
    found = read(head + said.encode(charset))
    assert found.answer is not None
    assert found.answer.intent is intent


@pytest.mark.unit
def test_every_whole_mail_keeps_its_notice() -> None:
    for raw in fuzzed.whole(ANSWER_TO, BOUNCE_TO, Random(1))[:-1]:  # noqa: S311 - all but the empty one
        assert read(raw).delivery_id == DELIVERY


@pytest.mark.db
async def test_broken_mail_is_taken_in_and_none_is_left_or_in_trouble(office: Office) -> None:
    sent = await office.sent("One", Person("stores@hospital.example"))
    office.reconfigure(longest_look=timedelta(minutes=10))
    raws = list(fuzzed.mails(30, 7, sent.answer_to, sent.bounce_to))
    for raw in raws:
        office.arrives(raw)
    assert (await office.collect()).taken == len(raws)
    assert await office.mailbox.list_new(100) == []
    assert office.world.one("SELECT count(*) FROM inbound_message WHERE body LIKE '%%could not be taken in%%'") == 0
    assert office.world.one("SELECT count(*) FROM returned_mail") > 20
