"""The hand-written message: whatever goes in, Python's own strict parser reads it back unchanged."""

import email
import email.policy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messaging.mime import compose, header_text

pytestmark = pytest.mark.unit
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
_MIXED = st.builds(
    lambda a, n, b: (a + "\n") * n + b * n, st.text("ab =.-é召\n", max_size=80), st.integers(0, 30), _ANY
)


@given(text=_MIXED, html=st.none() | _MIXED)
def test_bodies_come_back_line_by_line(text: str, html: str | None) -> None:
    raw = compose([("From", "a@b.example")], text, html, "=_0123456789abcdef")
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed.defects == []
    for subtype, wanted in (("plain", text), ("html", html)):
        if wanted is not None:
            part = parsed.get_body(preferencelist=(subtype,))
            assert part is not None
            assert part.defects == []
            got = _LINE_ENDS.sub("\n", part.get_content())
            assert got.rstrip("\n") == _LINE_ENDS.sub("\n", wanted).rstrip("\n")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


@given(subject=_ANY)
def test_a_subject_comes_back_as_one_line_and_adds_no_header(subject: str) -> None:
    raw = compose([("Subject", header_text("Subject", subject)), ("To", "a@b.example")], "x", None, "=_0")
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    shown = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    assert str(parsed["Subject"]).split() == shown.split()
    assert parsed.keys() == ["Subject", "To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    assert parsed["To"] == "a@b.example"


@pytest.mark.parametrize("text", ["short\n", "é" * 500 + "\n", "召回\n" * 300, "x" * 5000 + "\n", ".\n..\nFrom me\n"])
def test_every_transfer_encoding_is_used_where_it_fits(text: str) -> None:
    raw = compose([], text, None, "=_0")
    expected = {"s": b"7bit", "é": b"base64", "召": b"base64", "x": b"quoted-printable", ".": b"7bit"}[text[0]]
    assert b"Content-Transfer-Encoding: " + expected in raw
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed.get_content().replace("\r\n", "\n") == text
