"""The files and the own facts of a notice as it is really drafted, approved and sent from the record."""

import csv
import io

import psycopg
import pypdf
import pytest

from adapters.messaging.base import OutgoingMessage
from db.repositories import notices
from domain.notice_body import ApprovedBody, combined_sha256
from domain.notice_enclosure import Enclosed
from domain.notice_kinds import LETTER_KINDS
from domain.notice_machine import MachineNotice
from tests.amendments.story import Story

pytestmark = pytest.mark.db
_FACTS = (
    "UPDATE lot SET expires_on = '2027-05-31' WHERE id = %(lot)s",
    "UPDATE product SET udi_di = '05391516740012' WHERE id = (SELECT product_id FROM lot WHERE id = %(lot)s)",
    "UPDATE partner SET kind = 'distributor', name = '重庆医药配送有限公司', language = 'es' WHERE id = %(partner)s",
    "INSERT INTO serial (lot_id, number, location_id)"  # noqa: ISC004
    " SELECT %(lot)s, 'SN-7', id FROM location WHERE partner_id = %(partner)s",
)


def message_to(story: Story, name: str) -> OutgoingMessage:
    found: OutgoingMessage = next(m for m in story.mail.accepted if m.to == f"{name}@hospital.example")
    return found


async def test_a_notice_carries_what_the_record_says_and_begins_with_what_was_approved(story: Story) -> None:
    with psycopg.connect(story.url) as db:
        [partner] = db.execute("SELECT partner_id FROM contact WHERE email = 'near@hospital.example'").fetchone() or ()
        for statement in _FACTS:
            db.execute(statement, {"lot": story.lots["A1"], "partner": partner})
    await story.trace()
    draft = await story.draft()
    await story.start(draft)
    await story.turn()
    sent = message_to(story, "near")
    assert sent.language == "es"
    for text in (sent.text, str(sent.html)):
        assert "Como distribuidor" in text
        assert "2027-05-31" in text
        assert "05391516740012" in text
        assert "SN-7" in text
    picture, letter, lots, machine = sent.attachments
    assert (picture.content_id, letter.content_type) == ("answer-code@recall", "application/pdf")
    async with story.sessions() as session:
        stored = [ApprovedBody.from_json(row.body) for row in await notices.bodies(session, draft.notice_id)]
    assert combined_sha256(stored) == draft.sha256, "what was approved covers the files"
    [approved] = [body for body in stored if (body.kind, body.channel, body.language) == ("initial", "email", "es")]
    original = Enclosed.from_json(approved.enclosed or {}).letter
    assert original is not None
    assert letter.content.startswith(original.read())
    sheet = pypdf.PdfReader(io.BytesIO(letter.content), strict=True).pages[-1].extract_text()
    assert "重庆医药配送有限公司" in sheet
    assert "SN-7" in sheet
    [header, *rows] = csv.reader(io.StringIO(lots.content.decode("utf-8-sig")))
    assert (header[3], [row[3] for row in rows]) == ("Lote", ["A1"])
    notice = MachineNotice.model_validate_json(machine.content)
    assert notice.text == sent.text
    assert [(lot.lot, lot.serials, lot.udi_di) for lot in notice.lots] == [("A1", ("SN-7",), "05391516740012")]
    assert notice.answer_link in sent.text
    assert notice.notice.products[0].expiry["A1"].isoformat() == "2027-05-31"
    assert "As a distributor" not in message_to(story, "far").text


async def test_the_letters_beside_the_ladder_are_stored_with_the_notice_and_sent_to_nobody(story: Story) -> None:
    await story.trace()
    draft = await story.draft()
    async with story.sessions() as session:
        stored = {(row.kind, row.channel) for row in await notices.bodies(session, draft.notice_id)}
    assert {(kind.value, "email") for kind in LETTER_KINDS} < stored
    await story.start(draft)
    await story.turn()
    kinds = {row["kind"] for row in story.rows("SELECT kind FROM delivery")}
    assert kinds == {"initial"}
