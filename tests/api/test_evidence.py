"""Evidence files: what they claim is checked, what is stored comes back unchanged, what changed is refused."""

import io
import zipfile

import httpx
import pytest

from domain.roles import Role
from tests.support.api import Callers, intake

pytestmark = pytest.mark.workflow
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
MAIL = b"Received: by mail\r\nFrom: qa@example.org\r\nDate: Sun, 22 Nov 2026 02:00:00 +0000\r\n\r\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def workbook(part: str = "xl/workbook.xml") -> bytes:
    """The skeleton of an Office file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(part, "<workbook/>")
    return buffer.getvalue()


async def upload(
    api: Callers, content: bytes, media_type: str, name: str = "report.pdf", key: str = "k1", role: Role = Role.QA
) -> httpx.Response:
    """POST one file."""
    return await api.client.post(
        "/v1/evidence", files={"file": (name, content, media_type)}, headers=api.headers(role, key)
    )


async def test_an_uploaded_file_comes_back_as_it_was(api: Callers) -> None:
    made = await upload(api, PDF, "application/pdf", "Prüfbericht 召回.pdf")
    assert made.status_code == 201, made.text
    record = made.json()
    assert (record["size"], record["uploaded_by"], record["recall_number"]) == (len(PDF), "Quinn", None)
    back = await api.get(record["url"])
    assert back.content == PDF
    assert back.headers["Content-Type"] == "application/pdf"
    assert back.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''Pr%C3%BCfbericht")
    assert back.headers["ETag"] == f'"{record["sha256"]}"'
    assert (await api.get(f"{record['url']}/record")).json() == record


async def test_a_repeat_is_one_record_and_another_file_under_the_key_is_refused(api: Callers) -> None:
    first, second = await upload(api, PDF, "application/pdf"), await upload(api, PDF, "application/pdf")
    assert first.json() == second.json()
    other = await upload(api, PDF + b"x", "application/pdf")
    assert (other.status_code, other.json()["type"]) == (422, "urn:recall:problem:idempotency-key-reused")


@pytest.mark.parametrize(
    ("content", "media_type", "accepted"),
    [
        (PNG, "image/png", True),
        (PNG, "application/pdf", False),
        (PDF, "text/plain", False),
        (b"lot;qty\n1;2\n", "text/csv; charset=utf-8", True),
        ("召回".encode(), "text/plain", True),
        ("召回".encode("gb18030"), "text/plain", False),
        (b'{"a": 1}', "application/json", True),
        (b'{"a": ', "application/json", False),
        (b"[" * 100_000, "application/json", False),
        (workbook(), XLSX, True),
        (workbook("word/document.xml"), XLSX, False),
        (b"PK\x03\x04 not really", XLSX, False),
        (b"MZ\x90\x00", "application/octet-stream", False),
        (b"<svg onload='x'/>", "image/svg+xml", False),
        (b"", "text/plain", False),
        ('lot,note\nA1,"a, b"\n召回,2\n'.encode(), "text/csv", True),
        (b'lot,note\n"A1,never closed\n', "text/csv", False),
        (b"<html><script>x</script></html>", "text/csv", False),
        (PDF, "text/csv", False),
        (MAIL + "正文".encode("gb18030"), "message/rfc822", True),
        (MAIL.replace(b"From", b"Form"), "message/rfc822", False),
        (b"Dear all,\nthe date: today\n", "message/rfc822", False),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg", True),
        (PNG, "image/jpeg", False),
        (workbook("word/document.xml"), DOCX, True),
        (workbook(), DOCX, False),
    ],
)
async def test_a_file_is_accepted_only_as_what_it_is(
    api: Callers, content: bytes, media_type: str, accepted: bool
) -> None:
    answer = await upload(api, content, media_type)
    assert answer.status_code == (201 if accepted else 415), answer.text


async def test_a_file_above_the_limit_is_413(api: Callers) -> None:
    assert (await upload(api, b"a" * 100_001, "text/plain")).status_code == 413
    assert (await upload(api, b"a" * 300_000, "text/plain")).status_code == 413
    assert (await upload(api, b"a" * 100_000, "text/plain")).status_code == 201


async def test_a_file_name_is_shown_and_never_a_path(api: Callers) -> None:
    record = (await upload(api, PDF, "application/pdf", "..\\..\\etc/pass\u202ewd")).json()
    assert record["file_name"] == "passwd"


async def test_an_auditor_reads_evidence_and_cannot_add_any(api: Callers) -> None:
    record = (await upload(api, PDF, "application/pdf")).json()
    assert (await api.get(record["url"], Role.AUDITOR)).status_code == 200
    assert (await upload(api, PDF, "application/pdf", role=Role.AUDITOR)).status_code == 403


async def test_evidence_cited_at_the_start_belongs_to_that_recall_only(api: Callers) -> None:
    record = (await upload(api, PDF, "application/pdf")).json()
    started = await api.post("/v1/recalls", intake(evidence_ids=[record["id"]]))
    number = started.json()["number"]
    listed = (await api.get(f"/v1/recalls/{number}/evidence")).json()
    assert [item["id"] for item in listed] == [record["id"]]
    again = await api.post("/v1/recalls", intake(evidence_ids=[record["id"]]))
    assert again.status_code == 422
    assert again.json()["errors"] == [
        {"pointer": "#/evidence_ids/0", "detail": "this evidence belongs to another recall"}
    ]
