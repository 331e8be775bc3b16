"""Names that try to be more than names, in every kind, channel and language, and in what is made of them for the wire.

Markup, template syntax, our own slots, line ends for headers, marks that turn the text around, and links of a stranger.
The first notice, the letters and the files of an e-mail have tests of their own beside this one.
"""

import csv
import email
import email.policy
import io
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from activities.enclosures import sheet_words
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from activities.staff_rendering import LANGUAGES as STAFF
from activities.staff_rendering import StaffRenderer
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from adapters.messaging.web_push import push_payload
from api.call_script import LANGUAGES as SPOKEN
from api.call_script import script
from api.sms_answers import twiml
from db.repositories.staff_messages import Pending
from domain.channels import Channel
from domain.lots_csv import lots_csv
from domain.notice_content import NoticeContext, NoticeKind, RecipientLot, RecipientValues
from models.recall import Recall
from models.staff import MessageKind, Staff, StaffMessage
from models.task import Task
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.notices import AMENDED, CHANGE, CONTEXT, RECIPIENT, TOLD_AGAIN
from tests.messaging.test_notice_rendering import HOSTILE, LETTERS, changed, context_with, recipient_with

pytestmark = pytest.mark.unit
RENDERER = NoticeRenderer()
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
STRANGER = "https://evil.example/r/abc"
NAMES = [
    *HOSTILE,
    STRANGER,
    "</Say><Dial>+15005550006</Dial>",
    '","url":"https://evil.example","x":"',
    "Pump\u2028next",
]
OTHERS = [each for each in RENDERER.available() if each[0] not in (NoticeKind.INITIAL, *LETTERS)]
"""Kinds that the test of the first notice and the letters leaves out."""
HIDDEN = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2028\u2029\ufeff\x1d\r")


def facts(kind: NoticeKind, name: str) -> tuple[NoticeContext, RecipientValues]:
    """Everything that a person or an import may have named, named so."""
    context, recipient = context_with(name), recipient_with(name)
    sites = [
        {"name": name, "delivery_id": DELIVERY, "link": RECIPIENT.link + ending, "lots": recipient.lots}
        for ending in ("1", "2")
    ]
    lots_of_sites = [{**lot.model_dump(), "site": name} for lot in recipient.lots]
    recipient = changed(recipient, sites=sites, lots=lots_of_sites)
    if kind not in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION):
        return context, recipient
    lots = {"product": name, "lots": (name,)}
    change = {**CHANGE.model_dump(), "added": (lots,), "removed": (lots,)}
    told = {"added_lots": (name,) * len(TOLD_AGAIN.added_lots), "removed_lots": (name,) * len(TOLD_AGAIN.removed_lots)}
    return changed(context, version=AMENDED.version, change=change), changed(recipient, **told)


@pytest.mark.parametrize(("kind", "channel", "language"), OTHERS)
def test_a_hostile_name_stays_a_name_in_every_other_kind(kind: NoticeKind, channel: Channel, language: str) -> None:
    plain = RENDERER.preview(kind, channel, language, *facts(kind, "x"))
    for name in NAMES:
        out = RENDERER.preview(kind, channel, language, *facts(kind, name))
        assert out.subject is None or len(out.subject.splitlines()) == 1
        assert out.text.count(RECIPIENT.link) == plain.text.count(RECIPIENT.link), name
        if out.html is not None and plain.html is not None:
            for mark in ("<", ">", 'href="'):
                assert out.html.count(mark) == plain.html.count(mark), (name, mark)
        shown = ((out.text, plain.text), (out.subject or "", plain.subject or ""), (out.html or "", plain.html or ""))
        for text, before in shown:
            assert text.replace("7*7", "").count("49") == before.count("49"), name
            assert not HIDDEN & set(text), name
        if channel is Channel.EMAIL and name.isprintable():
            assert name in out.text


def test_every_kind_channel_and_language_is_attacked_here_or_in_the_test_of_the_first_notice() -> None:
    there = {each for each in RENDERER.available() if each[0] in (NoticeKind.INITIAL, *LETTERS)}
    assert there | set(OTHERS) == set(RENDERER.available())
    assert {channel for _, channel, _ in OTHERS} == set(Channel)
    assert {"en", "zh-CN", "es"} <= {language for _, _, language in OTHERS}


@pytest.mark.parametrize("name", NAMES)
def test_no_name_makes_another_header(name: str) -> None:
    adapter = SmtpEmailAdapter(SmtpConfig("127.0.0.1", 25, mail_from="Recall <recall@firm.example>"))
    usual = email.message_from_bytes(adapter.build(mail()), policy=email.policy.default)
    for language in RENDERER.languages(NoticeKind.INITIAL, Channel.EMAIL):
        out = RENDERER.preview(NoticeKind.INITIAL, Channel.EMAIL, language, context_with(name), recipient_with(name))
        raw = adapter.build(mail(subject=out.subject, text=out.text, html=out.html, language=language))
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert parsed.keys() == usual.keys()
        assert (parsed["To"], parsed["From"]) == (usual["To"], usual["From"])
        assert "\n" not in str(parsed["Subject"])
        assert [part.get_content_type() for part in parsed.walk()] == [part.get_content_type() for part in usual.walk()]


@pytest.mark.parametrize("name", NAMES)
def test_a_push_leads_to_our_own_page_whatever_a_name_says(name: str) -> None:
    for kind, channel, language in RENDERER.available():
        if channel is Channel.PUSH:
            out = RENDERER.preview(kind, channel, language, *facts(kind, name))
            told = json.loads(push_payload(mail(text=out.text, language=language)))
            assert list(told) == ["title", "body", "url", "lang", "tag"]
            assert told["url"] == RECIPIENT.link
            assert STRANGER not in told["title"]


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_call_reads_a_name_and_obeys_none(name: str, language: str) -> None:
    out = RENDERER.preview(NoticeKind.INITIAL, Channel.VOICE, language, context_with(name), recipient_with(name))
    read = ET.fromstring(script(out.text, language, "https://recall.firm.example/key?n=1"))  # noqa: S314 - our own
    assert [each.tag for each in read.iter()] == ["Response", "Gather", "Say", "Say", "Hangup"]
    gather = read.find("Gather")
    assert gather is not None
    assert gather.get("action") == "https://recall.firm.example/key?n=1"
    assert " ".join((gather.findtext("Say") or "").split()) == " ".join(out.text.split())


@pytest.mark.parametrize("name", NAMES)
def test_a_text_sent_back_is_one_message(name: str) -> None:
    read = ET.fromstring(twiml(f"RC-2026-000012: {name.replace(chr(0x2028), ' ')}"))  # noqa: S314 - our own
    assert [each.tag for each in read.iter()] == ["Response", "Message"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r\n=", "\u202e=", "{{7*7}}=", '"\n=', "＝"])
def test_no_cell_of_a_list_runs_in_any_language(start: str) -> None:
    name = f"{start}cmd|' /C calc'!A0"
    lot = RecipientLot.model_validate({**RECIPIENT.lots[0].model_dump(), "product": name, "lot": name, "unit": name})
    for language in RENDERER.languages(NoticeKind.INITIAL, Channel.EMAIL):
        words = sheet_words(TEMPLATES, language)
        rows = list(csv.reader(io.StringIO(lots_csv((lot, lot), words).decode("utf-8-sig"))))
        assert [len(row) for row in rows] == [9, 9, 9], "no name makes another row or column"
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "-", "@", "＝", "\t", "\r", "\n")), cell
            assert not HIDDEN & set(cell)


@pytest.mark.parametrize("language", STAFF)
@pytest.mark.parametrize("name", NAMES)
def test_a_text_for_staff_says_a_name_as_it_is(name: str, language: str) -> None:
    person = Staff(principal="q", name=name, roles=["qa"], language=language)
    task = Task(
        id=12, recall_number=CONTEXT.recall_no, key="k", step="visit", what=name, role="qa", state="offered",
        opened_at=NOW, due_at=NOW, sent_back_reason=name,
    )  # fmt: skip
    for channel in (Channel.EMAIL, Channel.SMS):
        message = StaffMessage.model_construct(principal="q", kind="sent_back", channel=channel.value)
        recall = Recall.model_construct(number=CONTEXT.recall_no, title=name)
        text = StaffRenderer().render(MessageKind.sent_back, channel, Pending(message, person, recall, task, None))
        assert len(text.subject.splitlines()) <= 1
        assert channel is Channel.EMAIL or len(text.body.splitlines()) == 1
        assert "49" not in f"{text.subject}{text.body}".replace("7*7", "")
        assert not HIDDEN & set(text.subject + text.body)
        if name.isprintable() and channel is Channel.EMAIL:
            assert name in text.body
