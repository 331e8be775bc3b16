"""Preview and test to oneself show the files that a recipient gets: the same code makes all of them."""

import hashlib
import io
import json
from typing import Any
from urllib.parse import parse_qsl

import pypdf
import pytest

from activities.enclosures import enclose
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from api.notice_preview import previewed
from db.engine import SessionFactory
from db.repositories.notice_preview import Sample
from documents.notice_files import CODE_ID
from domain.channels import Channel
from domain.notice_content import NoticeKind
from domain.notice_machine import SCHEMA_OF_TEST, MachineNotice
from domain.roles import Role
from models.notice import NoticeBody
from tests.activities.conftest import chain  # noqa: F401 - a fixture
from tests.api.test_notice_content import BASE, Draft, api, draft, sent, staff_of  # noqa: F401 - fixtures
from tests.messaging.notices import CONTEXT, RECIPIENT
from tests.support.api import Callers

pytestmark = pytest.mark.db
RENDERER = NoticeRenderer()


async def shown(api: Callers, notice: dict[str, Any], **query: Any) -> dict[str, Any]:  # noqa: F811
    answer = await api.get(f"{BASE}/notices/{notice['id']}/preview", **query)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def read(api: Callers, preview: dict[str, Any]) -> dict[str, bytes]:  # noqa: F811
    """Every file of a preview, as its address gives it out."""
    found = {}
    for file in preview["files"]:
        path, _, query = file["href"].partition("?")
        answer = await api.get(path, **dict(parse_qsl(query)))
        assert (answer.status_code, answer.headers["content-type"]) == (200, file["content_type"])
        assert answer.headers["content-disposition"] == f'attachment; filename="{file["name"]}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (len(answer.content), hashlib.sha256(answer.content).hexdigest()) == (file["size"], file["sha256"])
        found[file["name"]] = answer.content
    return found


def pages(content: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content), strict=True).pages]


async def test_a_preview_shows_the_files_of_that_recipient(api: Callers, draft: Draft) -> None:  # noqa: F811
    notice = await draft()
    mail = await shown(api, notice)
    files = await read(api, mail)
    picture, pdf, lots, machine = files
    assert (picture, pdf[:14], lots[:5], machine) == ("answer-code.png", "recall-notice-", "lots-", "notice.json")
    letter = (await api.get(f"{BASE}/notices/{notice['id']}/letter")).content
    assert files[pdf].startswith(letter), "the approved letter, and the own sheet behind it"
    own = pages(files[pdf])[-1]
    assert mail["recipient"] in own
    assert "/t/TEST-NO-ANSWER" in "".join(own.split())
    assert "A1" in files[lots].decode("utf-8-sig")
    document = MachineNotice.model_validate_json(files[machine])
    assert (document.recipient, document.text) == (mail["recipient"], mail["text"])
    assert "/t/TEST-NO-ANSWER" in document.answer_link
    other = await shown(api, notice, consignee=mail["consignee_id"] + 1)
    theirs = MachineNotice.model_validate_json((await read(api, other))["notice.json"])
    assert theirs.recipient == other["recipient"] != mail["recipient"]


async def test_the_html_of_a_preview_shows_the_code_and_a_reminder_has_the_first_letter(
    api: Callers,  # noqa: F811
    draft: Draft,  # noqa: F811
) -> None:
    notice = await draft()
    mail, reminder = await shown(api, notice), await shown(api, notice, kind="reminder")
    assert f"cid:{CODE_ID}" not in mail["html"]
    assert 'src="data:image/png;base64,iVBOR' in mail["html"]
    pdf = next(name for name in (await read(api, mail)) if name.endswith(".pdf"))
    assert (await read(api, reminder))[pdf] == (await read(api, mail))[pdf]


async def test_a_system_gets_one_document_and_a_telephone_none(api: Callers, draft: Draft) -> None:  # noqa: F811
    body = RENDERER.render_for_approval(NoticeKind.CLOSURE, Channel.WEBHOOK, "en", CONTEXT)
    [system] = await enclose([body], CONTEXT, TEMPLATES)
    row = NoticeBody(**{name: getattr(body, name) for name in ("kind", "channel", "language")}, body=system.as_json())
    [file] = previewed(Sample(row, 1, RECIPIENT.recipient_name, RECIPIENT), None).files
    document = MachineNotice.model_validate_json(file.content)
    assert (file.name, document.recipient) == ("notice.json", RECIPIENT.recipient_name)
    assert (await shown(api, await draft(), channel="sms"))["files"] == []


async def test_a_file_that_the_message_does_not_have_is_said(api: Callers, draft: Draft) -> None:  # noqa: F811
    notice = await draft()
    url = f"{BASE}/notices/{notice['id']}/preview/files"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("nothing.pdf", {}),
        ("..%2F..%2Fetc%2Fpasswd", {}),
        ("notice.json", {"channel": "sms"}),
    ]
    for name, query in asked:
        assert (await api.get(f"{url}/{name}", **query)).status_code == 404, name
    assert "it has: answer-code.png, recall-notice-" in (await api.get(f"{url}/nothing.pdf")).json()["detail"]


async def test_a_test_to_oneself_carries_the_files_each_with_the_mark(
    api: Callers,  # noqa: F811
    draft: Draft,  # noqa: F811
    db: SessionFactory,
) -> None:
    notice = await draft()
    await staff_of(db, Role.QA)
    for kind in ("initial", "reminder"):
        body = {"kind": kind, "channel": "email", "language": "en"}
        answer = await api.post(f"{BASE}/notices/{notice['id']}/test-send", body, Role.QA, key=f"test-{kind}")
        assert answer.status_code == 202, answer.text
    mails = await sent(db, Channel.EMAIL)
    assert len(mails) == 2, "the notice and its reminder"
    for mail in mails:
        picture, pdf, lots, machine = mail.attachments
        assert picture.content_id == CODE_ID, "the HTML shows it"
        assert [file.name[:5] for file in (pdf, lots, machine)] == ["TEST-"] * 3
        text = pages(pdf.content)
        assert all("TEST MESSAGE" in page for page in text), "no page of it passes for the notice"
        assert "WHAT TO DO AT ONCE" in text[0]
        assert "/t/TEST-NO-ANSWER" in "".join(text[-1].split())
        document = json.loads(machine.content)
        assert document["schema_version"] == SCHEMA_OF_TEST, "no system takes it for the notice"
        assert document["text"].startswith("TEST MESSAGE")
