"""Photos and documents sent from the recipient page: evidence of its answer; hostile ones are refused."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.recipient_files import MAX_AT_ONCE, MAX_BYTES, MAX_FILES
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import NUMBER, Person, World
from tests.domain.test_photo_types import PDF, jpeg, png

pytestmark = pytest.mark.db


async def send(recipient: Recipient, *files: tuple[str, bytes, str]) -> httpx.Response:
    return await recipient.http.post(f"{recipient.url}/files", files=[("file", each) for each in files])


def links(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT evidence_id, subject, linked_by FROM evidence_link ORDER BY linked_at, subject")


def kept(folder: Path, sha256: str) -> list[bytes]:
    """What the evidence folder holds under a hash."""
    return [path.read_bytes() for path in folder.rglob(sha256)]


@pytest.fixture
def recipient(http: httpx.AsyncClient, world: World) -> Recipient:
    return Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))


async def test_a_photo_sent_while_answering_is_evidence_of_the_answer(
    recipient: Recipient, world: World, tmp_path: Path
) -> None:
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    aside = await recipient.send("person", responder_name="Grace", files="yes")
    assert aside.status_code == 303
    assert aside.headers["Location"] == f"{recipient.url}/files?lang=en"
    del recipient.fields["files"]
    page = await send(recipient, ("shelf.jpg", jpeg(), "image/jpeg"))
    assert page.status_code == 200
    assert "Received: shelf.jpg" in page.text
    back = await recipient.open()
    assert 'value="Grace"' in back.text, "what was filled in is still there"
    await recipient.send("person", responder_role="Stores")
    (file,) = world.rows("SELECT * FROM evidence")
    assert (file["recall_number"], file["content_type"], file["file_name"]) == (NUMBER, "image/jpeg", "shelf.jpg")
    assert file["uploaded_by"] == f"consignee:{recipient.consignee}"
    reply = replies(world)[-1]
    assert [each["subject"] for each in links(world)] == [f"consignee:{recipient.consignee}", f"reply:{reply['id']}"]
    assert world.one("SELECT data ->> 'files' FROM audit_event WHERE data ->> 'kind' = 'statement'") == "1"
    assert kept(tmp_path, file["sha256"]) == [jpeg()]


async def test_a_photo_sent_after_the_answer_belongs_to_it(recipient: Recipient, world: World) -> None:
    await recipient.answer(world.lot_ids)
    await send(recipient, ("certificate.pdf", PDF, "application/pdf"))
    assert f"reply:{replies(world)[-1]['id']}" in {each["subject"] for each in links(world)}


async def test_the_same_file_sent_twice_is_one_file(recipient: Recipient, world: World) -> None:
    await send(recipient, ("a.png", png(), "image/png"))
    again = await send(recipient, ("a.png", png(), "image/png"))
    assert again.status_code == 200
    assert world.one("SELECT count(*) FROM evidence") == 1
    assert len(links(world)) == 1


async def test_content_decides_and_a_bad_file_keeps_no_other_out(recipient: Recipient, world: World) -> None:
    page = await send(
        recipient,
        ("<b>evil.jpg", b"<svg onload=alert(1)>", "image/jpeg"),
        ("empty.png", b"", "image/png"),
        ("bomb.png", png(60_000, 60_000), "image/png"),
        ("photo.exe", jpeg(), "application/octet-stream"),
    )
    assert page.status_code == 422
    assert "&lt;b&gt;evil.jpg: only JPEG, PNG and PDF are accepted" in page.text
    assert "empty.png: the file is empty" in page.text
    assert "bomb.png: the picture is too large" in page.text
    assert [row["file_name"] for row in world.rows("SELECT file_name FROM evidence")] == ["photo.exe.jpg"]


async def test_size_and_number_are_limited(recipient: Recipient, world: World) -> None:
    too_large = await send(recipient, ("big.jpg", jpeg() + bytes(MAX_BYTES), "image/jpeg"))
    assert too_large.status_code == 422
    assert "the file is larger than" in too_large.text
    at_once = await send(recipient, *[(f"{n}.png", png(n + 1), "image/png") for n in range(MAX_AT_ONCE + 1)])
    assert at_once.status_code == 422
    assert f"at most {MAX_AT_ONCE} files at a time" in at_once.text
    assert world.one("SELECT count(*) FROM evidence") == 0
    for first in range(0, MAX_FILES, MAX_AT_ONCE):
        batch = [(f"{n}.png", png(n + 1), "image/png") for n in range(first, first + MAX_AT_ONCE)]
        assert (await send(recipient, *batch)).status_code == 200
    one_more = await send(recipient, ("more.png", png(99), "image/png"))
    assert one_more.status_code == 422
    assert world.one("SELECT count(*) FROM evidence") == MAX_FILES


async def test_an_upload_beyond_all_limits_is_refused_before_it_is_read(recipient: Recipient, world: World) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**10)}
    refused = await recipient.http.post(f"{recipient.url}/files", content=b"--x", headers=headers)
    assert refused.status_code == 413
    assert refused.headers["Content-Type"].startswith("text/html"), "a person reads it"
    assert "too large together" in refused.text
    assert "'nonce-" in refused.headers["Content-Security-Policy"]
    assert world.one("SELECT count(*) FROM evidence") == 0


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\n", b"\xff" * 100, b'--x\r\nContent-Disposition: form-data; name="file"\r\n']
)
async def test_what_is_no_upload_is_asked_for_again(recipient: Recipient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    page = await recipient.http.post(f"{recipient.url}/files", content=body, headers=headers)
    assert page.status_code == 422
    assert "Choose a file first" in page.text


async def test_without_a_good_link_nothing_is_taken(
    recipient: Recipient, http: httpx.AsyncClient, world: World
) -> None:
    bad = await http.post(f"{recipient.url[:-4]}AAAA/files", files=[("file", ("a.png", png(), "image/png"))])
    assert bad.status_code == 403
    world.run("UPDATE recall SET phase = 'rejected'")
    assert (await send(recipient, ("a.png", png(), "image/png"))).status_code == 410
    assert world.one("SELECT count(*) FROM evidence") == 0
