"""The files of a notice: the approved PDF with the own sheet, the list of lots, the notice for machines, the code."""

import csv
import email
import email.policy
import io
import json
import random
import re
import string
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pypdf
import pytest
import segno
from PIL import Image

from activities.enclosures import enclose, sheet_words
from activities.notice_body import ApprovedBody, BodyError, combined_sha256, fill
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from adapters.messaging.mime import compose
from documents import own_sheet
from documents.answer_code import Code, answer_code
from documents.notice_files import CODE_ID, MAX_TOTAL, Enclosures
from documents.notice_pdf import Anchor
from documents.own_sheet import MAX_PAGES, shared
from documents.test_files import marked_files
from domain.attachment import Attachment
from domain.channels import Channel
from domain.lots_csv import lots_csv
from domain.notice_content import LADDER_KINDS, NoticeContext, NoticeKind, RecipientLot, RecipientValues
from domain.notice_enclosure import Enclosed, EnclosureError
from domain.notice_machine import SCHEMA, Ask, MachineNotice
from domain.notice_test_mark import mark_of
from tests.messaging.notices import CONTEXT, RECIPIENT
from tests.messaging.test_notice_rendering import HOSTILE, changed, context_with, recipient_with

pytestmark = pytest.mark.unit
RENDERER = NoticeRenderer()
DELIVERY = UUID("00000000-0000-4000-8000-000000000001")
LANGUAGES = RENDERER.languages(NoticeKind.INITIAL, Channel.EMAIL)


async def bodies_of(language: str, context: NoticeContext = CONTEXT, further: str = "") -> list[ApprovedBody]:
    kinds = (NoticeKind.INITIAL, NoticeKind.REMINDER)
    rendered = [RENDERER.render_for_approval(kind, Channel.EMAIL, language, context) for kind in kinds]
    rendered.append(RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.WEBHOOK, language, context))
    return await enclose(rendered, context, TEMPLATES, {language: further})


def files_of(bodies: list[ApprovedBody], recipient: RecipientValues = RECIPIENT) -> dict[str, Attachment]:
    enclosures, body = Enclosures(bodies), bodies[0]
    machine = enclosures.machine(body, recipient, DELIVERY, fill(body, recipient))
    return {file.name: file for file in enclosures.files(body, recipient, machine)}


def pdf_of(files: dict[str, Attachment]) -> pypdf.PdfReader:
    [name] = [name for name in files if name.endswith(".pdf")]
    return pypdf.PdfReader(io.BytesIO(files[name].content), strict=True)


def targets_of(reader: pypdf.PdfReader) -> list[str]:
    """Addresses the links of a PDF lead to."""
    found = [cast(Any, page["/Annots"]) for page in reader.pages if "/Annots" in page]
    return [str(each.get_object()["/A"]["/URI"]) for annotations in found for each in annotations]


def words_of(reader: pypdf.PdfReader) -> str:
    return " ".join("\n".join(page.extract_text() for page in reader.pages).split())


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_pdf_is_the_approved_letter_and_behind_it_the_recipients_own_sheet(language: str) -> None:
    bodies = await bodies_of(language, further=RECIPIENT.recipient_name)
    approved = Enclosed.from_json(bodies[0].enclosed or {}).letter
    assert approved is not None
    files = files_of(bodies)
    reader = pdf_of(files)
    [pdf] = [file for file in files.values() if file.content_type == "application/pdf"]
    assert pdf.content.startswith(approved.read()), "the file begins with what was approved, byte for byte"
    heading = bodies[0].text.splitlines()[0]
    assert reader.metadata is not None
    assert reader.metadata.title == f"{heading} {CONTEXT.recall_no}"
    assert cast(Any, reader.trailer["/Root"])["/Lang"] == language
    text, words = words_of(reader), sheet_words(TEMPLATES, language)
    texts = CONTEXT.texts_in(language)
    common = (heading, CONTEXT.recall_no, *CONTEXT.products[0].lots, "2027-06-30", texts.hazard, texts.instructions[0])
    own = (words.title, RECIPIENT.recipient_name, "SCMS-31-IE", "40.5 test", "SN-0001 SN-0002", "2027-05-31", "(Africa")
    for fact in (*common, *own):
        assert fact in text, fact
    assert text.replace(" ", "").count(RECIPIENT.link) == 1, "the link stands on the own sheet only"
    assert targets_of(reader) == [RECIPIENT.link]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_same_recipient_gets_the_same_bytes_and_another_one_its_own(language: str) -> None:
    first, again = files_of(await bodies_of(language)), files_of(await bodies_of(language))
    assert first == again
    other = files_of(await bodies_of(language), recipient_with("Other"))
    assert all(first[name].content != other[name].content for name in first if name != "answer-code.png")
    assert first["answer-code.png"] == other["answer-code.png"], "the same link"


async def test_a_reminder_carries_the_notice_it_reminds_of_and_stores_it_once() -> None:
    bodies = await bodies_of("en")
    reminder = Enclosed.from_json(bodies[1].enclosed or {})
    assert (reminder.letter, reminder.letter_of) == (None, NoticeKind.INITIAL)
    enclosures = Enclosures(bodies)
    sent = [enclosures.files(body, RECIPIENT, None) for body in bodies[:2]]
    assert sent[0] == sent[1]
    assert set(LADDER_KINDS) > {NoticeKind.INITIAL, NoticeKind.REMINDER}


async def test_what_was_approved_covers_the_files_and_any_change_is_noticed() -> None:
    bodies = await bodies_of("en")
    bare = [RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "en", CONTEXT)]
    assert combined_sha256(bodies[:1]) != combined_sha256(bare)
    stored = bodies[0].as_json()
    assert ApprovedBody.from_json(stored) == bodies[0]
    for part in ("facts", "words", "letter"):
        enclosed = {**stored["enclosed"], part: {**stored["enclosed"][part], "sha256": "0" * 64, "hazard": "none"}}
        with pytest.raises(BodyError, match="changed after approval"):
            ApprovedBody.from_json({**stored, "enclosed": enclosed})
    letter = {**stored["enclosed"]["letter"], "sha256": "0" * 64}
    with pytest.raises(EnclosureError, match="not the file that was approved"):
        Enclosed.from_json({**stored["enclosed"], "letter": letter}).letter.read()  # type: ignore[union-attr]
    with pytest.raises(EnclosureError, match=r"enclosed\.facts"):
        Enclosed.from_json({})


async def test_a_body_approved_before_there_were_files_keeps_its_hash_and_sends_none() -> None:
    body = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "en", CONTEXT)
    before = {name: value for name, value in body.as_json().items() if name != "enclosed"}
    assert ApprovedBody.from_json(before) == body
    assert Enclosures([body]).files(body, RECIPIENT, None) == ()
    assert Enclosures([body]).machine(body, RECIPIENT, DELIVERY, fill(body, RECIPIENT)) is None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_files_of_a_test_bear_the_mark_on_every_page_and_are_the_same_on_every_attempt(language: str) -> None:
    files = tuple(files_of(await bodies_of(language)).values())
    marked = marked_files(files, language)
    assert marked == marked_files(files, language)
    assert marked[0] == files[0], "the picture that the HTML shows"
    assert [file.name for file in marked[1:]] == [f"TEST-{file.name}" for file in files[1:]]
    before, after = (pypdf.PdfReader(io.BytesIO(each[1].content), strict=True).pages for each in (files, marked))
    said = "".join(mark_of(language)[1].split())
    for plain, page in zip(before, after, strict=True):
        text = "".join(page.extract_text().split())
        assert said in text
        assert "".join(plain.extract_text().split()) in text, "the page itself stays"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_notice_for_machines_says_what_the_letter_says(language: str) -> None:
    bodies = await bodies_of(language)
    content = files_of(bodies)["notice.json"].content
    notice = MachineNotice.model_validate_json(content)
    assert notice.canonical() == content, "canonical"
    assert json.loads(content)["schema_version"] == SCHEMA
    facts = notice.notice
    assert (facts.recall_no, facts.kind, facts.version, facts.drill, facts.urgent) == (
        CONTEXT.recall_no, NoticeKind.INITIAL, 1, False, True,
    )  # fmt: skip
    assert facts.hazard == CONTEXT.texts_in(language).hazard
    assert facts.products[0].lots == CONTEXT.products[0].lots
    assert {Ask.STOP_USE, Ask.QUARANTINE, Ask.AWAIT_RETURN, Ask.ANSWER} <= set(facts.asks)
    assert [(lot.lot, lot.quantity, lot.unit, lot.serials) for lot in notice.lots] == [
        ("SCMS-10-IE", "1200", "test", ("SN-0001", "SN-0002")),
        ("SCMS-31-IE", "40.5", "test", ()),
    ]
    assert (notice.delivery_id, notice.answer_link, notice.respond_by) == (
        DELIVERY, RECIPIENT.link, RECIPIENT.respond_by,
    )  # fmt: skip
    assert notice.text == fill(bodies[0], RECIPIENT).text
    assert Enclosed.from_json(bodies[2].enclosed or {}).letter is None, "a system gets facts, no PDF"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "＝", "＋", "－", "＠", " =", "\u200b="])
def test_no_cell_of_the_list_runs_as_a_formula(start: str) -> None:
    hostile = f'{start}HYPERLINK("http://x.example";"click")'
    lot = RecipientLot(
        product=hostile, gtin=hostile, lot=hostile, quantity=Decimal(1), unit=hostile, serials=(hostile,)
    )
    raw = lots_csv((lot,), sheet_words(TEMPLATES, "en"))
    assert raw.startswith(b"\xef\xbb\xbf")
    header, row = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert header[0] == "Product"
    assert len(row) == len(header)
    assert all(not cell.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", " ")) for cell in row)
    assert 'HYPERLINK("http://x.example";"click")' in row[0], "nothing of the value is lost"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_stays_a_name_in_every_file(language: str, name: str) -> None:
    bodies = await bodies_of(language, context_with(name))
    files = files_of(bodies, recipient_with(name))
    plain = files_of(await bodies_of(language), RECIPIENT)
    notice = MachineNotice.model_validate_json(files["notice.json"].content)
    shown = " ".join(notice.recipient.split())
    assert notice.notice.products[0].name == shown
    assert notice.answer_link == RECIPIENT.link
    assert not set("\u202e\u2066\u200b\ufeff\r\n") & set(shown)
    reader = pdf_of(files)
    assert words_of(reader).replace(" ", "").count(RECIPIENT.link) == words_of(pdf_of(plain)).replace(" ", "").count(
        RECIPIENT.link
    )
    assert targets_of(reader) == [RECIPIENT.link]
    assert (
        len(
            list(
                csv.reader(
                    io.StringIO(next(f.content for f in files.values() if "csv" in f.content_type).decode("utf-8-sig"))
                )
            )
        )
        == 3
    )
    raw = compose([], fill(bodies[0], RECIPIENT).text, fill(bodies[0], RECIPIENT).html, "=_0", tuple(files.values()))
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert [part.get_filename() for part in parsed.iter_attachments()] == [n for n in files if n != "answer-code.png"]


async def test_the_mail_shows_the_code_beside_its_text_and_carries_the_files_behind_it() -> None:
    bodies = await bodies_of("zh-CN")
    files, filled = files_of(bodies), fill(bodies[0], RECIPIENT)
    raw = compose([("To", "a@b.example")], filled.text, filled.html, f"=_{DELIVERY.hex}", tuple(files.values()))
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert all(part.defects == [] for part in parsed.walk())
    assert parsed.get_content_type() == "multipart/mixed"
    alternative, *rest = parsed.iter_parts()
    assert {part.get_filename(): part.get_content() for part in rest if part.get_content_type() != "text/csv"} == {
        name: file.content
        for name, file in files.items()
        if file.content_type in ("application/pdf", "application/json")
    }
    assert alternative.get_content_type() == "multipart/alternative"
    html = parsed.get_body(("html",))
    assert html is not None
    assert f"cid:{CODE_ID}" in html.get_content()
    [picture] = [part for part in parsed.walk() if part.get_content_type() == "image/png"]
    assert (picture["Content-ID"], picture.get_content_disposition()) == (f"<{CODE_ID}>", "inline")
    assert max(map(len, raw.split(b"\r\n"))) <= 998


async def test_the_picture_is_the_code_of_the_answer_link() -> None:
    picture = Image.open(io.BytesIO(files_of(await bodies_of("en"))["answer-code.png"].content)).convert("1")
    code = segno.make_qr(RECIPIENT.link, error="m", boost_error=False, mask=3)
    side = len(code.matrix)
    assert picture.size == (4 * (side + 8),) * 2
    read = [[int(picture.getpixel((4 * x + 18, 4 * y + 18)) == 0) for x in range(side)] for y in range(side)]
    assert read == [list(row) for row in code.matrix]
    edge = [picture.getpixel((at, line)) for at in range(picture.width) for line in (0, 15, picture.height - 1)]
    assert all(edge), "the quiet zone is white"


@pytest.mark.parametrize("bad", ['a".pdf', "a\r\nX: y", "../a.pdf", "ä.pdf", "", "a" * 101])
def test_a_name_that_is_no_plain_token_reaches_no_header(bad: str) -> None:
    with pytest.raises(ValueError, match="plain ASCII"):
        compose([], "x", None, "=_0", (Attachment(bad, "text/plain", b"x"),))


async def test_a_recipient_of_very_many_lots_gets_a_bounded_message() -> None:
    lots = tuple(
        RecipientLot(product="P" * 60, lot=f"L{n:06d}", quantity=Decimal(n), unit="test", serials=(f"S{n}" * 8,))
        for n in range(30_000)
    )
    bodies = await bodies_of("en")
    files = files_of(bodies, changed(RECIPIENT, lots=lots))
    assert sum(len(file.content) for file in files.values()) <= MAX_TOTAL + 5000
    reader = pdf_of(files)
    assert len(reader.pages) <= MAX_PAGES + 2
    assert sheet_words(TEMPLATES, "en").more in reader.pages[-1].extract_text()


def modules_of(code: Code) -> list[str]:
    wide = code.row_bytes
    rows = (code.rows[at : at + wide] for at in range(0, len(code.rows), wide))
    return [f"{int.from_bytes(row):0{8 * wide}b}"[: code.side] for row in rows]


def test_the_code_of_every_link_is_the_one_drawn_for_it_alone() -> None:
    chance = random.Random(7)  # noqa: S311
    alphabet = string.ascii_letters + string.digits + "-_"
    tokens = ["".join(chance.choices(alphabet, k=length)) for length in (20, 61, 62) for _ in range(150)]
    links = [f"https://recall.firm.example/r/{token}" for token in tokens]
    for link in [*links, "https://bücher.example/r/abc", "http://x/r/" + "~" * 300]:
        drawn = segno.make_qr(link, error="m", boost_error=False, mask=3).matrix
        assert modules_of(answer_code(link)) == ["".join(map(str, row)) for row in drawn], link


async def test_the_sheet_shows_the_code_of_the_answer_link_as_a_picture_of_one_dot_a_module() -> None:
    sheet = cast(Any, pdf_of(files_of(await bodies_of("en"))).pages[-1])
    [rows] = re.findall(rb"/W 41 /H 41 /IM true /D \[1 0\] /F /AHx ID ([0-9a-f]+)> EI", sheet.get_contents().get_data())
    wide = len(rows) // 41
    shown = [f"{int(rows[at : at + wide], 16):0{4 * wide}b}"[:41] for at in range(0, len(rows), wide)]
    assert shown == modules_of(answer_code(RECIPIENT.link))


async def test_all_batches_share_what_is_known_of_a_letters_font_and_old_letters_are_forgotten() -> None:
    stored = Enclosed.from_json((await bodies_of("en"))[0].enclosed or {}).letter
    assert stored is not None
    anchors = [Anchor(**stored.anchor), Anchor(**stored.anchor)]
    first = shared(anchors[0])
    assert shared(anchors[1]) is first, "read twice, kept once"
    wider = replace(first, widths={each: 2 * width for each, width in first.widths.items()})
    assert shared(wider) is wider, "another letter of the same id has its own font"
    for number in range(100):
        shared(replace(first, document_id=f"{number:032X}"))
    assert len(own_sheet._fonts) == own_sheet._MOST_FONTS
    assert shared(anchors[1]) is anchors[1], "it was forgotten and is read anew"
