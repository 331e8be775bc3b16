"""Reports of mail systems, automatic answers and people's mails, read from what such systems write."""

from uuid import UUID

import pytest

from domain.mail_bounces import Fate
from domain.mail_kinds import MailKind
from domain.mail_reading import ReadMail, read_returned
from domain.return_path import ReturnKind, ReturnPath
from domain.sms_replies import SmsIntent
from tests.mailbox import samples

pytestmark = pytest.mark.unit
DELIVERY = UUID("6f6c1a52-7a37-4f6c-9a3b-0f7d3ad6a001")
PATH = ReturnPath("a secret of sufficient length", "bounces@firm.example")
TO = PATH.address(DELIVERY, ReturnKind.BOUNCE)
REPLY_TO = PATH.address(DELIVERY, ReturnKind.ANSWER)
ORIGINAL = f"<{DELIVERY}@firm.example>"
STORES = "stores@hospital.example"


def read(raw: bytes, **options: bool) -> ReadMail:
    return read_returned(raw, PATH, "firm.example", "mx.firm.example", **options)


def failed(status: str, diagnostic: str, action: str = "failed") -> bytes:
    return samples.report(TO, STORES, action=action, status=status, diagnostic=diagnostic, original=ORIGINAL)


@pytest.mark.parametrize(
    ("raw", "fate", "status"),
    [
        (failed("5.1.1", "550 5.1.1 <stores@hospital.example>: User unknown"), Fate.DEAD, "5.1.1"),
        (failed("5.4.4", "Name service error for hospital.example type=MX: Host not found"), Fate.DEAD, "5.4.4"),
        (failed("5.1.10", "550 5.1.10 recipient not found"), Fate.DEAD, "5.1.10"),
        (failed("5.2.1", "550 5.2.1 mailbox disabled"), Fate.DEAD, "5.2.1"),
        (failed("5.2.2", "552 5.2.2 mailbox full"), Fate.NOT_DELIVERED, "5.2.2"),
        (failed("5.7.1", "550 5.7.1 message rejected as spam"), Fate.NOT_DELIVERED, "5.7.1"),
        (failed("5.7.23", "550 5.7.23 SPF validation failed"), Fate.NOT_DELIVERED, "5.7.23"),
        (failed("4.4.7", "delivery time expired"), Fate.NOT_DELIVERED, "4.4.7"),
        (failed("4.4.1", "connect to mail.hospital.example: Connection timed out", "delayed"), Fate.DELAYED, "4.4.1"),
        (failed("2.0.0", "250 2.0.0 Ok", "delivered"), Fate.DELIVERED, "2.0.0"),
        (failed("2.0.0", "250 2.0.0 Ok", "relayed"), Fate.HANDED_ON, "2.0.0"),
        (failed("2.1.5", "250 2.1.5 Ok", "expanded"), Fate.HANDED_ON, "2.1.5"),
        (failed("5.0.0", "550 Service unavailable"), Fate.NOT_DELIVERED, "5.0.0"),
        (failed("odd", "nothing that can be read", "vanished"), Fate.UNREAD, None),
        (samples.exchange(TO, STORES, original=ORIGINAL), Fate.DEAD, "5.1.10"),
        (samples.exim(TO, STORES, original=ORIGINAL), Fate.DEAD, "5.0.0"),
        (samples.qmail(TO, STORES), Fate.DEAD, "5.1.1"),
        (samples.qmail(TO, STORES, temporary=True), Fate.NOT_DELIVERED, None),
        (samples.coremail(TO, STORES), Fate.DEAD, "5.1.1"),
    ],
)
def test_a_report_says_what_became_of_the_message(raw: bytes, fate: Fate, status: str | None) -> None:
    found = read(raw)
    assert found.kind is MailKind.REPORT
    assert found.report is not None
    assert (found.report.fate, found.report.status) == (fate, status)
    assert found.proven_report
    assert found.delivery_id == DELIVERY


def test_of_an_expanded_alias_the_worst_counts_and_each_address_is_named() -> None:
    good = failed("2.0.0", "250 Ok", "delivered").replace(
        b"Final-Recipient: rfc822; stores@hospital.example", b"Final-Recipient: rfc822; ann@hospital.example"
    )
    bad = (
        b"Final-Recipient: rfc822; Bob@Hospital.example\nOriginal-Recipient: rfc822;stores@hospital.example\n"
        b"Action: failed\nStatus: 5.1.1\n\n"
    )
    found = read(good.replace(b"\nFinal-Recipient", b"\n" + bad + b"Final-Recipient", 1))
    assert found.report is not None
    assert (found.report.fate, found.report.status) == (Fate.DEAD, "5.1.1")
    assert found.report.recipients == ("stores@hospital.example", "bob@hospital.example")


def test_a_report_to_another_address_of_ours_proves_nothing_though_it_quotes_the_message_id() -> None:
    raw = samples.report(
        "recall@firm.example", STORES, action="failed", status="5.1.1", diagnostic="550", original=ORIGINAL
    )
    found = read(raw)
    assert (found.delivery_id, found.proven_report, found.token_refused) == (DELIVERY, False, False)


def test_a_report_to_the_reply_address_of_a_notice_proves_nothing() -> None:
    raw = samples.report(REPLY_TO, STORES, action="failed", status="5.1.1", diagnostic="550", original=ORIGINAL)
    assert not read(raw).proven_report


def test_a_forged_token_is_seen() -> None:
    forged = TO.replace("+", "+a", 1)
    raw = samples.report(forged, STORES, action="failed", status="5.1.1", diagnostic="550", original=ORIGINAL)
    assert (read(raw).token_refused, read(raw).proven_report) == (True, False)


@pytest.mark.parametrize(
    "raw",
    [
        samples.away(REPLY_TO, STORES, original=ORIGINAL),
        samples.away(REPLY_TO, STORES, original=ORIGINAL, declared=False),
        samples.answer(REPLY_TO, STORES, "1", subject="自动回复: 紧急医疗器械召回"),
        samples.answer(REPLY_TO, STORES, "1", subject="Abwesenheitsnotiz: Rückruf"),
        samples.answer(REPLY_TO, STORES, "1", more=("Precedence: auto_reply",)),
        samples.answer(REPLY_TO, STORES, "1", more=("X-Autoreply: yes",)),
        samples.answer(REPLY_TO, STORES, "1", more=("Auto-Submitted: auto-generated (ticket 4711)",)),
        samples.answer(REPLY_TO, STORES, "1", subject="Out of Office until 7 December"),
        samples.answer(REPLY_TO, STORES, "1", subject="外出通知：库房"),
        samples.answer(
            REPLY_TO,
            STORES,
            "We got your mail. To report an adverse event with one of our devices, please call 555-0100.",
            more=("Auto-Submitted: auto-replied",),
        ),
    ],
)
def test_an_automatic_answer_is_no_answer_even_if_it_says_one(raw: bytes) -> None:
    found = read(raw)
    assert (found.kind, found.answer) == (MailKind.AUTOMATIC, None)


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic External Defibrillator: how many do you want back?",
        "Automatic response valve, lot 7",
        "外出血患者使用情况",
        "Out of office hours number for the ward?",
        "Re: Automatic reply: URGENT: MEDICAL DEVICE RECALL",
        "自动回复器械的批号",
    ],
)
def test_a_persons_subject_that_sounds_like_a_responders_is_a_persons(subject: str) -> None:
    found = read(samples.answer(REPLY_TO, STORES, "2", subject=subject))
    assert found.kind is MailKind.PERSON
    assert found.answer is not None
    assert found.answer.intent is SmsIntent.NONE_LEFT


@pytest.mark.parametrize(
    "more",
    [("Precedence: bulk",), ("Precedence: list",), ("Precedence: junk",), ("List-Id: <stores.hospital.example>",)],
)
def test_what_came_through_a_list_is_read_by_a_person_and_acknowledges_nothing(more: tuple[str, ...]) -> None:
    found = read(samples.answer(REPLY_TO, STORES, "1", more=more))
    assert found.kind is MailKind.PERSON
    assert found.answer is not None
    assert (found.answer.intent, found.answer.harm, found.answer.more) == (SmsIntent.UNCLEAR, False, True)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Ticket 4711: one patient was injured by your set.", "Re: URGENT"),
        ("The ward wants to report an adverse event, please call them.", "Re: URGENT"),
        ("有患者受伤", "[工单 4711]"),
        ("", "Ticket 4711: patient injured"),
        ("To report an adverse event call 555. Ann is hurt.", "Re: URGENT"),
    ],
)
def test_harm_in_an_automatic_mail_reaches_a_person_and_acknowledges_nothing(text: str, subject: str) -> None:
    found = read(
        samples.answer(REPLY_TO, STORES, f"1\n\n{text}", subject=subject, more=("Auto-Submitted: auto-generated",))
    )
    assert found.kind is MailKind.PERSON
    assert found.answer is not None
    assert (found.answer.harm, found.answer.intent in {SmsIntent.UNCLEAR, SmsIntent.HARM}) == (True, True)


def test_the_product_in_our_own_subject_is_no_harm_but_the_writers_subject_counts() -> None:
    ours = "Re: URGENT: MEDICAL DEVICE RECALL RC-2026-000012 – Injury care set"
    quiet = read(samples.answer(REPLY_TO, STORES, "1", subject=ours)).answer
    loud = read(samples.answer(REPLY_TO, STORES, "Please call", subject="Patient injured by your pump")).answer
    assert quiet is not None
    assert loud is not None
    assert (quiet.harm, loud.harm) == (False, True)


def test_a_person_is_a_person_though_the_notice_itself_was_sent_automatically() -> None:
    raw = samples.answer(REPLY_TO, STORES, "1", original=ORIGINAL, more=("Auto-Submitted: no",))
    found = read(raw)
    assert found.kind is MailKind.PERSON
    assert (found.sender, found.answered_id) == (STORES, DELIVERY)
    assert found.token is not None
    assert found.token.kind is ReturnKind.ANSWER


def test_a_read_receipt_is_neither_a_report_nor_an_answer() -> None:
    raw = samples.answer(
        REPLY_TO,
        STORES,
        "--x\nContent-Type: text/plain\n\nThe message was displayed.\n--x\n"
        "Content-Type: message/disposition-notification\n\nDisposition: manual-action/x; displayed\n--x--",
        content_type='multipart/report; report-type=disposition-notification; boundary="x"',
    )
    assert read(raw).kind is MailKind.RECEIPT


@pytest.mark.parametrize(
    ("results", "forged"),
    [
        (("mx.firm.example; spf=pass; dmarc=fail header.from=hospital.example",), True),
        (("mx.firm.example; dmarc=pass header.from=hospital.example",), False),
        (("other.example; dmarc=fail",), False),
        (("mx.firm.example; dmarc=pass", "mx.firm.example; dmarc=fail"), False),
        ((), False),
    ],
)
def test_only_what_our_own_mail_system_wrote_on_top_says_that_a_sender_is_forged(
    results: tuple[str, ...], forged: bool
) -> None:
    more = tuple(f"Authentication-Results: {each}" for each in results)
    assert read(samples.answer(REPLY_TO, STORES, "1", more=more)).forged_sender is forged


def test_the_same_mail_on_two_ways_is_one_and_another_text_under_its_message_id_is_its_own() -> None:
    first = samples.answer(REPLY_TO, STORES, "1", original=ORIGINAL)
    again = b"Received: from relay.example by mx2.firm.example\n" + first
    other = samples.answer(REPLY_TO, STORES, "2", original=ORIGINAL)
    assert read(first).key == read(again).key != read(other).key


OTHER_TO = PATH.address(UUID(int=9), ReturnKind.ANSWER)


def keys(raw: bytes) -> set[str]:
    found = read(raw)
    return {found.key, *(each.key for each in found.also)}


def without_id(raw: bytes, *more: bytes) -> bytes:
    head, _, rest = raw.partition(b"Message-ID:")
    return head + b"".join(more) + rest.partition(b"\n")[2]


def test_two_people_whose_programs_write_no_message_id_wrote_two_mails() -> None:
    one = without_id(samples.answer(REPLY_TO, STORES, "1"))
    elsewhere = without_id(samples.answer(OTHER_TO, STORES, "1"))
    another = without_id(samples.answer(REPLY_TO, "ann@hospital.example", "1"))
    later = one.replace(b"Date: Sat, 21", b"Date: Sun, 22")
    titled = without_id(samples.answer(REPLY_TO, STORES, "1", subject="Lot A1"))
    answering = without_id(samples.answer("recall@firm.example", STORES, "1", original=ORIGINAL))
    answering_another = without_id(
        samples.answer("recall@firm.example", STORES, "1", original=f"<{UUID(int=9)}@firm.example>")
    )
    raws = (one, elsewhere, another, later, titled, answering, answering_another)
    assert len({read(raw).key for raw in raws}) == len(raws)
    assert read(one).key == read(b"Received: from relay.example by mx2.firm.example\n" + one).key


def test_one_mail_to_the_addresses_of_two_notices_speaks_for_both_however_often_it_is_delivered() -> None:
    both = samples.answer(f"{REPLY_TO}, {OTHER_TO}", STORES, "2")
    first = both.replace(f"Delivered-To: {REPLY_TO}, {OTHER_TO}".encode(), f"Delivered-To: {REPLY_TO}".encode())
    second = both.replace(f"Delivered-To: {REPLY_TO}, {OTHER_TO}".encode(), f"Delivered-To: {OTHER_TO}".encode())
    found = read(second)
    assert [each.delivery_id for each in (found, *found.also)] == [UUID(int=9), DELIVERY]
    assert keys(both) == keys(first) == keys(second)
    assert len(keys(both)) == 2
    assert keys(samples.answer(REPLY_TO, STORES, "2")) < keys(both), "the copy for one of them is the same mail"


def test_a_mail_to_many_addresses_of_one_notice_or_with_a_forged_one_beside_counts_once() -> None:
    assert read(samples.answer(f"{REPLY_TO}, {REPLY_TO.upper()}, {TO}", STORES, "2")).also == ()
    assert read(samples.answer(f"{REPLY_TO}, {OTHER_TO.replace('+', '+a')}", STORES, "2")).also == ()


def test_the_newest_of_our_messages_in_a_thread_is_the_one_answered() -> None:
    older = UUID(int=7)
    raw = samples.answer("recall@firm.example", STORES, "1").replace(
        b"MIME-Version", f"References: <{older}@firm.example> <x@y.example>\n {ORIGINAL}\nMIME-Version".encode()
    )
    assert read(raw).answered_id == DELIVERY


def test_of_a_mail_cut_at_the_limit_the_address_counts_and_the_text_does_not() -> None:
    found = read(samples.answer(REPLY_TO, STORES, "1", original=ORIGINAL), whole=False)
    assert (found.delivery_id, found.answer, found.fault) == (DELIVERY, None, "larger than the limit")
