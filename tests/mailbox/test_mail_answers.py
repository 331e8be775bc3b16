"""What a person wrote, without what they quoted; only one known word or number is an answer."""

import pytest

from domain.mail_answers import own_words, read_answer
from domain.mail_message import read_mail
from domain.sms_replies import SmsIntent
from tests.mailbox import samples

pytestmark = pytest.mark.unit
NOTICE = "URGENT: MEDICAL DEVICE RECALL\nStop using lot A1. A patient was harmed.\nAnswer 1, 2 or 3.\n"
QUOTED = "".join(f"> {line}\n" for line in NOTICE.splitlines())


def reading(text: str, **changes: str) -> tuple[SmsIntent, bool, bool]:
    found = read_answer(read_mail(samples.answer("r@firm.example", "s@h.example", text, **changes)))  # type: ignore[arg-type]
    return found.intent, found.harm, found.more


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("1", SmsIntent.HOLDING),
        ("２", SmsIntent.NONE_LEFT),
        ("3", SmsIntent.NEEDS_HELP),
        ("Received.", SmsIntent.ACKNOWLEDGED),
        ("已收到", SmsIntent.ACKNOWLEDGED),
        ("收悉，谢谢", SmsIntent.UNCLEAR),
        (
            f"1\n\nOn Sat, 21 Nov 2026 at 12:10, Product Safety <recall@firm.example> wrote:\n{QUOTED}",
            SmsIntent.HOLDING,
        ),
        (
            f"2\n\nOn Sat, 21 Nov 2026 at 12:10, Product Safety\n<recall@firm.example> wrote:\n\n{QUOTED}",
            SmsIntent.NONE_LEFT,
        ),
        (f"1\n\n-----Original Message-----\nFrom: Product Safety\nSent: Saturday\n\n{NOTICE}", SmsIntent.HOLDING),
        (f"1\n\n________________________________\nFrom: Product Safety\n{NOTICE}", SmsIntent.HOLDING),
        (
            f"1\n\nFrom: Product Safety <recall@firm.example>\nSent: 21 November 2026\nTo: Stores\n\n{NOTICE}",
            SmsIntent.HOLDING,
        ),
        (f"1\n\n发件人：产品安全\n发送时间：2026年11月21日\n收件人：库房\n\n{NOTICE}", SmsIntent.HOLDING),
        (f"2\n\n在 2026年11月21日，产品安全 <recall@firm.example> 写道：\n{QUOTED}", SmsIntent.NONE_LEFT),
        (f"已收到\n\n------------------ 原始邮件 ------------------\n{NOTICE}", SmsIntent.ACKNOWLEDGED),
        ("Dear all,\n\n1\n\nKind regards,\nAnn Stores\nTel. 555", SmsIntent.HOLDING),
        ("您好，\n2\n此致\n敬礼", SmsIntent.NONE_LEFT),
        ("Hello\n1\nThanks\nAnn", SmsIntent.HOLDING),
        ("1\n-- \nAnn Stores, harm reduction unit", SmsIntent.HOLDING),
        ("2 boxes left", SmsIntent.UNCLEAR),
        ("1?", SmsIntent.UNCLEAR),
        ("1 or 2, I am not sure", SmsIntent.UNCLEAR),
        ("We will look into it.", SmsIntent.UNCLEAR),
        ("STOP", SmsIntent.UNCLEAR),
        ("", SmsIntent.UNCLEAR),
        (QUOTED, SmsIntent.UNCLEAR),
    ],
)
def test_the_first_words_of_the_writer_are_the_answer_or_it_is_unclear(text: str, intent: SmsIntent) -> None:
    found = reading(text)
    assert found[:2] == (intent, False)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("1", False),
        ("1\n\nKind regards,\nAnn", False),
        ("1\n\nBut we passed five on to another clinic.", True),
        ("2\n\nPlease call Ann about the other lot.\n\nRegards\nAnn", True),
    ],
)
def test_what_stands_beside_the_answer_is_left_to_a_person(text: str, more: bool) -> None:
    assert reading(text)[2] is more


def test_harm_counts_wherever_the_writer_put_it_and_never_in_our_own_words() -> None:
    assert reading("1\n\nOne patient was injured on Friday.") == (SmsIntent.HOLDING, True, True)
    assert reading("A nurse was hurt.") == (SmsIntent.HARM, True, False)
    assert reading("4") == (SmsIntent.HARM, True, False)
    assert reading("有患者受伤") == (SmsIntent.HARM, True, False)
    assert reading(f"1\n\n{QUOTED}")[1] is False


@pytest.mark.parametrize(
    "html",
    [
        "<p>1</p><blockquote><p>A patient was harmed.</p></blockquote>",
        '<div dir="ltr">1</div><br><div class="gmail_quote">On Sat wrote:<p>A patient was harmed.</p></div>',
        '<div>1</div><div id="appendonsend"></div><hr><div>A patient was harmed.</div>',
        "<html><head><style>p{color:red}</style><title>harm</title></head><body><p>1</p></body></html>",
        "<body>1<br><br>-----Original Message-----<br>A patient was harmed.</body>",
    ],
)
def test_of_html_only_what_the_writer_added_is_read(html: str) -> None:
    assert reading(html, content_type="text/html; charset=utf-8") == (SmsIntent.HOLDING, False, False)


@pytest.mark.parametrize(
    "html",
    ["<![foo[x]]><p>1</p>", "<![]>1", "<![if !mso]>1<![endif]>", "<p>1</p><![CDATA[ x ]", "<![if gte mso 9]><p>1</p>"],
)
def test_marks_that_the_parser_does_not_know_are_passed_over(html: str) -> None:
    assert reading(html, content_type="text/html; charset=utf-8")[0] is SmsIntent.HOLDING


def test_the_last_words_of_a_page_without_an_end_are_read() -> None:
    assert reading("<p>Ann&amp;Bob: a nurse was hurt by A&B", content_type="text/html; charset=utf-8")[1] is True


def test_harm_far_down_in_a_long_mail_counts_and_is_kept_with_its_beginning() -> None:
    long = "Dear all, here is our list of lots.\n" + "lot A1: 3 sets\n" * 2_000
    text = f"{long}\nA nurse was hurt on Friday.\n{long}"
    assert 30_000 < len(text) < 65_536
    found = read_answer(read_mail(samples.answer("r@firm.example", "s@h.example", text)))
    assert (found.harm, found.intent, len(found.text) <= 2_000) == (True, SmsIntent.HARM, True)
    assert found.text.startswith("Dear all")
    assert found.text.endswith("A nurse was hurt on Friday.")


def test_an_answer_with_something_after_a_long_gap_is_not_the_answer_alone() -> None:
    assert reading("1" + " " * 3_000 + "no, none")[0] is SmsIntent.UNCLEAR


def test_a_recall_named_in_the_subject_is_kept_for_whoever_has_several() -> None:
    mail = read_mail(samples.answer("r@firm.example", "s@h.example", "1", subject="Re: recall RC-2026-000012"))
    assert read_answer(mail).recall_no == "RC-2026-000012"


def test_a_text_of_nothing_but_line_breaks_is_empty() -> None:
    assert own_words("\n \n\t\n") == ""
