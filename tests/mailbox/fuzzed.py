"""Mails nobody should send and somebody does: well-formed ones of many kinds, each then broken by a seeded chance."""

import base64
from collections.abc import Callable, Iterator
from random import Random

from tests.mailbox import samples

TOKENS = (
    b"Content-Type: multipart/mixed; boundary=b\n",
    b'Content-Type: multipart/report; report-type="delivery-status"; boundary="b"\n',
    b"Content-Type: message/delivery-status\n",
    b"Content-Type: message/rfc822\n",
    b"Content-Type: application/ms-tnef; name=winmail.dat\n",
    b"Content-Type: text/html; charset=gb18030\n",
    b"Content-Type: text/plain; charset*=utf-8''%ff; charset*0=a; charset*2=b\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: x-uuencode\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"Subject: =?gb2312?B?zfjC57uw=?= =?big5?Q?=a4=40?= =?x?b?\xff?=\n",
    b"Subject: =?utf-8?b?=?=\n",
    b"From: \xd5\xc5\xc8\xfd <a@b.example>\n",
    b"From: =?utf-8?q?a=40b?= <<<@>>, (((\n",
    b"In-Reply-To: <\x00@firm.example>\n",
    b"Authentication-Results: mx.firm.example; dmarc=fail\n",
    b"Auto-Submitted: auto-replied (\n",
    b"List-Id: <a>\n",
    b"Action: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822\n\n",
    b"--b\n",
    b"--b--\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff\xfe",
    b"=\n=3D=ZZ=4",
    b"<![foo[x]]>",
    b"<!--",
    b"<a href='",
    b"&#x110000;&#xd800;&amp",
    b"begin 644 winmail.dat\n",
    b"On Sat wrote:\n> ",
    b"Stop using. \xe4\xb8\xa5",
)
CHARSETS = (
    *("utf-8", "gb2312", "gbk", "gb18030", "big5", "utf-7", "utf-16", "utf-32", "idna", "punycode", "hex", "base64"),
    *("rot13", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "x-user-defined", "iso-2022-jp"),
    *("iso-2022-kr", "hz-gb-2312", "cp65001", "\xe5", "''", "utf-8'", "a=b", ""),
)


def mixed(*parts: str | bytes, kind: str = "mixed", to: str, number: str) -> bytes:
    head = samples.answer(
        to, "stores@hospital.example", "", number=number, content_type=f'multipart/{kind}; boundary="b"'
    )
    return (
        head
        + b"".join(b"--b\n" + (part if isinstance(part, bytes) else part.encode()) + b"\n" for part in parts)
        + b"--b--\n"
    )


def whole(to: str, bounce_to: str, rng: Random) -> list[bytes]:
    """One mail of each kind, unbroken."""
    number = f"n{rng.getrandbits(32)}"
    original = "<01890000-0000-7000-8000-00000000002a@firm.example>"
    person = "stores@hospital.example"
    text = rng.choice(["1", "2", "已收到", "一名患者受伤", "We look into it.\n\nA nurse was hurt.", "４", ""])
    html = f"<html><body><p>{text}</p><blockquote>A patient was harmed</blockquote></body></html>"
    encoded = base64.encodebytes(text.encode("gb18030")).decode()
    fields = rng.sample(
        ["Reporting-MTA: dns; mx", "Final-Recipient: rfc822; a@b.example", "Action: failed", "Status: 5.1.1"],
        rng.randrange(5),
    )
    status = "\n".join(fields)
    tnef = b"Content-Type: application/ms-tnef; name=winmail.dat\n\n\x78\x9f\x3e\x22" + rng.randbytes(200)
    deep = "".join(f'Content-Type: multipart/mixed; boundary="d{level}"\n\n--d{level}\n' for level in range(20))

    def answer(body: str = text, **more: str) -> bytes:
        return samples.answer(to, person, body, original=original, number=number, **more)  # type: ignore[arg-type]

    plain_head = answer("", content_type="text/plain; charset=CHARSET")
    return [
        answer(),
        answer(html, content_type="text/html; charset=utf-8"),
        plain_head.replace(b"CHARSET", b"gb18030") + text.encode("gb18030"),
        plain_head.replace(b"CHARSET", b"big5") + "1 收到".encode("big5"),
        plain_head.replace(b"CHARSET", rng.choice(CHARSETS).encode("latin-1")) + rng.randbytes(80),
        answer(encoded, content_type="text/plain; charset=gb2312").replace(b"8bit", b"base64"),
        answer(subject=rng.choice(["=?gb2312?B?" + "x" * 40, "=?utf-8?q?=ff=fe?=", "=?a?z?b?=", "Automatic reply: x"])),
        answer(subject="a" * rng.randrange(100_000)),
        mixed(
            f"Content-Type: text/plain\n\n{text}",
            f"Content-Type: text/html\n\n{html}",
            kind="alternative",
            to=to,
            number=number,
        ),
        mixed("Content-Type: text/plain\n\n", tnef, to=to, number=number),
        mixed(deep, to=to, number=number),
        mixed(f"Content-Type: message/delivery-status\n\n{status}\n", kind="report", to=bounce_to, number=number),
        mixed(f"Content-Type: message/rfc822\n\nSubject: x\n\n{text}", to=to, number=number),
        mixed(kind="signed", to=to, number=number),
        samples.report(
            bounce_to, person, action="failed", status="5.1.1", diagnostic="550", original=original, number=number
        ),
        samples.exchange(bounce_to, person, original=original),
        samples.exim(bounce_to, person, original=original),
        samples.qmail(bounce_to, person),
        samples.coremail(bounce_to, person),
        samples.away(to, person, original=original, number=number),
        b"",
    ]


def _cut(raw: bytes, rng: Random) -> bytes:
    begin = rng.randrange(len(raw) + 1)
    return raw[:begin] + raw[begin + rng.randrange(200) :]


def _repeat(raw: bytes, rng: Random) -> bytes:
    begin = rng.randrange(len(raw) + 1)
    return raw[:begin] + raw[begin : begin + 300] * rng.randrange(1, 20) + raw[begin:]


def _flip(raw: bytes, rng: Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.randrange(1, 30) if raw else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _insert(raw: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(raw) + 1)
    at = raw.find(b"\n", at) + 1 or at
    return raw[:at] + rng.choice(TOKENS) * rng.choice((1, 1, 1, 30)) + raw[at:]


def _shuffle(raw: bytes, rng: Random) -> bytes:
    lines = raw.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


def _drop_lines(raw: bytes, rng: Random) -> bytes:
    return b"\n".join(line for line in raw.split(b"\n") if rng.random() > 0.15)


def _crlf(raw: bytes, rng: Random) -> bytes:
    return raw.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n")))


BREAKS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _cut,
    _repeat,
    _flip,
    _insert,
    _insert,
    _shuffle,
    _drop_lines,
    _crlf,
)


def mails(count: int, seed: int, to: str, bounce_to: str) -> Iterator[bytes]:
    """So many mails, every third as it is, the others broken up to four times; two are sometimes run together."""
    rng = Random(seed)  # noqa: S311 - to be the same each time is the point
    waiting: list[bytes] = []
    for place in range(count):
        waiting = waiting or whole(to, bounce_to, rng)
        raw = waiting.pop(rng.randrange(len(waiting)))
        for _ in range(rng.randrange(1, 5) if place % 3 else 0):
            raw = rng.choice(BREAKS)(raw, rng)
        yield raw + rng.choice(whole(to, bounce_to, rng)) if place % 50 == 49 else raw


__all__ = ["mails", "whole"]
