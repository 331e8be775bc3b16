"""Mails made to hurt the reader: they are read within bounds or refused, and never raise anything else."""

import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.mail_kinds import MailKind
from domain.mail_message import MailUnreadable, decode, read_mail
from domain.mail_reading import read_returned
from domain.return_path import ReturnKind, ReturnPath
from tests.mailbox import samples

pytestmark = pytest.mark.unit
PATH = ReturnPath("a secret of sufficient length", "bounces@firm.example")
HEAD = "From: a@x.example\nTo: bounces@firm.example\nMessage-ID: <1@x>\nMIME-Version: 1.0\n"


def nested(depth: int) -> bytes:
    body = "".join(f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n' for level in range(depth))
    return (HEAD + body + "Content-Type: text/plain\n\nx\n").encode()


BOMBS = {
    "nested parts": nested(3000),
    "nested messages": (HEAD + "Content-Type: message/rfc822\n\n" * 5000).encode(),
    "many parts": (HEAD + 'Content-Type: multipart/mixed; boundary="b"\n\n' + "--b\n\nx\n" * 100_000).encode(),
    "many headers": (HEAD + "X-A: b\n" * 100_000 + "\nx").encode(),
    "headers only": b"X-A: b\n" * 300_000,
}
STRANGE = {
    "one endless header": (HEAD + "Subject: " + "a" * 5_000_000 + "\n\n1").encode(),
    "encoded words without end": (HEAD + "Subject: " + "=?utf-8?q?" * 50_000 + "\n\n1").encode(),
    "a million recipients": (HEAD + "Cc: " + "a@b.example, " * 100_000 + "\n\n1").encode(),
    "references without end": (HEAD + "References: " + "<a@b> " * 500_000 + "\n\n1").encode(),
    "angle brackets": (HEAD + "From: " + "<" * 500_000 + "\n\n1").encode(),
    "quotes and comments": (HEAD + "Cc: " + '("' * 200_000 + "\n\n1").encode(),
    "a charset that is no charset": samples.answer("b@x", "a@x.example", "1", content_type="text/plain; charset=rot13"),
    "a charset of the slow kind": samples.answer(
        "b@x", "a@x.example", "xn--" + "a" * 300_000, content_type="text/plain; charset=idna"
    ),
    "broken base64": (HEAD + "Content-Transfer-Encoding: base64\n\n" + "=@@@" * 10_000).encode(),
    "html without end": samples.answer("b@x", "a@x.example", "<!--" * 200_000, content_type="text/html"),
    "tags without end": samples.answer("b@x", "a@x.example", "<a " * 200_000, content_type="text/html"),
    "no header at all": b"\n\n1",
    "nothing": b"",
    "binary": bytes(range(256)) * 4000,
    "zeros": b"\0" * 1_000_000,
    "long line of quotes": samples.answer("b@x", "a@x.example", "> " * 500_000),
    "separators": samples.answer("b@x", "a@x.example", "From: x\n" * 50_000),
    "written": samples.answer("b@x", "a@x.example", ("On " + "a" * 190 + "\n") * 5_000),
}


PIECES = (
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    "Content-Type: message/rfc822",
    "",
    "--b",
    "--b--",
    "Content-Type: message/delivery-status",
    "Action: failed",
    "Status: 5.1.1",
    "Content-Type: text/plain; charset=",
    "Content-Transfer-Encoding: base64",
    "Subject: =?x?b?/w?=",
    "From: <a@b",
    "1",
    "Content-Type: ;;;",
    "=41=4",
)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_kept_as_unreadable(name: str) -> None:
    begun = time.monotonic()
    with pytest.raises(MailUnreadable):
        read_mail(BOMBS[name])
    found = read_returned(BOMBS[name], PATH, "firm.example", None)
    assert (found.kind, bool(found.fault), len(found.key)) == (MailKind.UNREADABLE, True, 40)
    assert time.monotonic() - begun < 5


def test_a_bomb_sent_to_a_notice_is_a_persons_task_under_that_notice() -> None:
    to = PATH.address(UUID(int=7), ReturnKind.ANSWER)
    found = read_returned(nested(3000).replace(b"bounces@firm.example", to.encode()), PATH, "firm.example", None)
    assert (found.kind, found.delivery_id, found.sender) == (MailKind.UNREADABLE, UUID(int=7), "a@x.example")


BROKEN_PIECES = {
    "an encoded word that is no base64": b"Subject: =?utf-8?b?abcde?=\n",
    "a parameter whose parts do not add up": b"Content-Type: text/plain; charset*=u''%ff; charset*0=a; charset*2=b\n",
    "a boundary whose parts do not add up": b"Content-Type: multipart/x; boundary*=u''%f; boundary*0=a; boundary*2=b\n",
    "a charset that refuses": b"Content-Type: text/plain; charset=idna\n",
}


@pytest.mark.parametrize("name", BROKEN_PIECES)
def test_one_broken_header_costs_neither_the_words_nor_the_notice(name: str) -> None:
    to = PATH.address(UUID(int=7), ReturnKind.ANSWER)
    head = f"From: a@x.example\nTo: {to}\n".encode() + BROKEN_PIECES[name]
    found = read_returned(head + "\nA nurse was hurt. é".encode("latin-1"), PATH, "firm.example", None)
    assert (found.kind, found.delivery_id, found.fault) == (MailKind.PERSON, UUID(int=7), None)
    assert found.answer is not None
    assert found.answer.harm is ("boundary" not in name), "without its parts nothing of it can be read"


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_mail_is_read_in_bounded_time(name: str) -> None:
    begun = time.monotonic()
    found = read_returned(STRANGE[name], PATH, "firm.example", None)
    assert found.key
    assert time.monotonic() - begun < 5
    assert len(found.sender) <= 320
    assert found.answer is None or len(found.answer.text) <= 2_000


@given(st.binary(max_size=2000))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    found = read_returned(raw, PATH, "firm.example", "mx.firm.example")
    assert found.kind in set(MailKind)


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@settings(max_examples=300)
def test_any_heap_of_pieces_is_read_or_refused(lines: list[str]) -> None:
    read_returned("\n".join(lines).encode(), PATH, "firm.example", "mx.firm.example")


@pytest.mark.parametrize(
    "charset", [None, "", "utf-8", "gb2312", "GBK", "big5", "utf-16", "unicode-1-1-utf-7", '"x', "hex"]
)
def test_text_in_any_charset_is_text_that_the_record_takes(charset: str | None) -> None:
    text = decode("已收到\0".encode("gb18030") + bytes(range(256)), charset)
    assert "\0" not in text
    text.encode("utf-8")
