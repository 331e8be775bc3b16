"""Figures of many lots sent as a table: named faults change nothing, a good table fills in the form and no more."""

import csv
import io

import httpx
import pytest

from api.recipient_table import COLUMNS, MAX_BYTES
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


@pytest.fixture
async def recipient(http: httpx.AsyncClient, world: World) -> Recipient:
    """Acknowledged, with two lots of ten units."""
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    return recipient


async def send(recipient: Recipient, content: bytes) -> httpx.Response:
    return await recipient.http.post(f"{recipient.url}/table", files={"file": ("lots.csv", content, "text/csv")})


async def template(recipient: Recipient) -> list[dict[str, str]]:
    answer = await recipient.http.get(f"{recipient.url}/lots.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"].endswith('-lots.csv"')
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def filled(rows: list[dict[str, str]], separator: str = ",", **figures: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=separator)
    writer.writeheader()
    given = {"on_hand": "4", "held": "4", "used": "5", "passed_on": "0", "returned": "1", "destroyed": ""} | figures
    writer.writerows(row | given for row in rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("separator", [",", ";"])
async def test_a_table_fills_in_the_form_which_is_then_checked_and_sent(
    recipient: Recipient, world: World, separator: str
) -> None:
    rows = await template(recipient)
    assert [(row["key"], row["delivered"], row["on_hand"]) for row in rows] == [
        (str(lot), "10", "") for lot in world.lot_ids
    ]
    for _ in range(2):  # sent twice: the same
        sent = await send(recipient, filled(rows, separator))
        assert sent.status_code == 303
    assert [reply["kind"] for reply in replies(world)] == ["acknowledgement"], "a table states nothing by itself"
    page = await recipient.open(correct="1")
    assert "<h1>How many units do you have?</h1>" in page.text
    recipient.fields |= {"affected": "yes"} | {
        f"{name}-{lot}": value
        for lot in world.lot_ids
        for name, value in {"on_hand": "4", "held": "4", "used": "5", "passed_on": "0", "returned": "1"}.items()
    }
    for name, value in recipient.fields.items():
        if "-" in name:
            assert f'name="{name}" value="{value}"' in page.text
    await recipient.send("person", responder_name="Grace", responder_role="Stores")
    lines = world.rows("SELECT on_hand, used, returned, destroyed FROM reply_line")
    assert [tuple(line.values()) for line in lines] == [(4, 5, 1, None)] * 2
    assert [row["on_hand"] for row in await template(recipient)] == ["4", "4"], "the next table starts from the answer"


async def test_each_fault_is_named_by_row_and_column_and_nothing_changes(recipient: Recipient, world: World) -> None:
    rows = await template(recipient)
    good, other = rows
    bad = [good | {"key": "999999"}, good, good]
    page = await send(recipient, filled(bad, used="about <5>"))
    assert page.status_code == 422
    assert "Row 2, column &#34;key&#34;: &#34;999999&#34; is none of your lots" in page.text
    assert "Row 3, column &#34;used&#34;: &#34;about &lt;5&gt;&#34; is no number" in page.text
    assert f"Row 4, column &#34;key&#34;: the lot &#34;{good['key']}&#34; is there twice" in page.text
    assert f"lot {other['lot']} is missing" in page.text
    assert world.one("SELECT count(*) FROM reply_draft") == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe\x81", b"PK\x03\x04", b"key,on_hand\n1,2\n", b'key,"on_hand\n', b"x" * (MAX_BYTES + 1)],
)
async def test_what_is_no_table_is_refused_in_words(recipient: Recipient, world: World, content: bytes) -> None:
    page = await send(recipient, content)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert world.one("SELECT count(*) FROM reply_draft") == 0


@pytest.mark.parametrize("lot", ["=1+1", "@SUM(A1)", "＝1+1", "＋1", "－2", "＠SUM(A1)"])
async def test_a_lot_that_reads_as_a_formula_is_shown_and_not_computed(
    recipient: Recipient, world: World, lot: str
) -> None:
    world.run("UPDATE lot SET number = %s WHERE id = %s", lot, world.lot_ids[0])
    assert f"'{lot}" in {row["lot"] for row in await template(recipient)}


async def test_a_bad_link_gets_no_table_and_leaves_none(recipient: Recipient, world: World) -> None:
    rows = await template(recipient)
    bad = recipient.url[:-4] + "AAAA"
    assert (await recipient.http.get(f"{bad}/lots.csv")).status_code == 403
    files = {"file": ("lots.csv", filled(rows), "text/csv")}
    assert (await recipient.http.post(f"{bad}/table", files=files)).status_code == 403
    assert (await recipient.http.get(f"{recipient.url}/table")).status_code == 200
