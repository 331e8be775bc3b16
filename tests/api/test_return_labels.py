"""Returns by RMA over HTTP: the label an approved return gets, and what the dock's scanner may say."""

from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
import zxingcpp

from domain.links import make_link_token
from domain.return_authorization import rma_number
from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.api import LINK_SECRET, write_consignee
from tests.support.stock_invariants import violations

__all__ = ["warehouse"]
pytestmark = pytest.mark.db


def codes(pdf: bytes) -> list[set[str]]:
    """What a scanner reads, page by page."""
    pages = pypdfium2.PdfDocument(pdf)
    return [{each.text for each in zxingcpp.read_barcodes(page.render(scale=3).to_pil())} for page in pages]


class Returning:
    """Two hospitals that state 8 units each; a return of the first is approved."""

    def __init__(self, found: Warehouse) -> None:
        self.warehouse = found
        self.consignees = [write_consignee(found.url, NUMBER, hospital=each) for each in (0, 1)]
        for consignee in self.consignees:
            found.run(
                "WITH told AS (INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, "
                "received_at) VALUES (%s, %s, 'page', 'statement', true, '[]', '2026-02-01') RETURNING id) "
                "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) "
                "SELECT told.id, %s, 8, 2, 8, 0 FROM told",
                NUMBER,
                consignee,
                found.lot,
            )

    async def approved(self, consignee: int = 0, kind: str = "return_to_us", quantity: str = "8") -> tuple[int, str]:
        """(number, RMA) of an approved return."""
        where = {"location_id": None, "consignee_id": self.consignees[consignee]}
        sequence = await self.warehouse.approved(kind, quantity, **where)
        shown = (await self.warehouse.api.get(f"{URL}/dispositions/{sequence}")).json()
        assert isinstance(shown["rma"], str)
        return sequence, shown["rma"]

    async def count(self, quantity: str, **more: object) -> tuple[int, dict[str, object]]:
        """A parcel counted at the dock."""
        body = {
            "location_id": self.warehouse.place,
            "quantity": quantity,
            "document_no": "PARCEL",
            "evidence_ids": [await self.warehouse.file()],
        }
        answer = await self.warehouse.api.post(f"{URL}/returns", body | more, Role.WAREHOUSE)
        return answer.status_code, answer.json()

    def page(self, consignee: int = 0) -> str:
        """The signed link of a hospital."""
        until = datetime.now(UTC) + timedelta(days=30)
        whose = self.consignees[consignee]
        token = make_link_token(LINK_SECRET, recall_no=NUMBER, consignee_id=whose, delivery_id=None, expires_at=until)
        return f"/r/{token}"


@pytest.fixture
def returning(warehouse: Warehouse) -> Returning:
    warehouse.run("UPDATE location SET code = 'RETURN-DOCK' WHERE id = %s", warehouse.place)
    return Returning(warehouse)


async def test_an_approved_return_has_a_label_that_scans_one_page_a_parcel(returning: Returning) -> None:
    api = returning.warehouse.api
    proposed = await returning.warehouse.propose(
        "return_to_us", "3", location_id=None, consignee_id=returning.consignees[1]
    )
    assert proposed.json()["items"][0]["rma"] is None
    _, rma = await returning.approved()
    answer = await api.get(f"{URL}/returns/{rma}/label.pdf", Role.AUDITOR, parcels=3, language="es")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    pages = codes(answer.content)
    assert len(pages) == 3
    assert all(any(text.endswith(f"(90){rma}") for text in page) for page in pages)
    for wrong in (rma_number(999_999), "RMA123", rma[:-1] + str((int(rma[-1]) + 1) % 10), "..%2f"):
        refused = await api.get(f"{URL}/returns/{wrong}/label.pdf", Role.AUDITOR)
        assert (refused.status_code, refused.json()["type"]) == (404, "urn:recall:problem:not-found")


async def test_labels_of_many_sites_are_one_file_and_each_recipient_prints_only_its_own(returning: Returning) -> None:
    api = returning.warehouse.api
    assert (await api.client.get(f"{returning.page()}/labels.pdf")).status_code == 303
    first, second = [await returning.approved(each) for each in (0, 1)]
    every = await api.get(f"{URL}/returns/labels.pdf")
    assert every.headers["x-last-disposition"] == str(second[0])
    for (_, rma), scanned in zip((first, second), codes(every.content), strict=True):
        assert any(rma in text for text in scanned)
    rest = await api.get(f"{URL}/returns/labels.pdf", after=first[0])
    assert len(codes(rest.content)) == 1
    returning.warehouse.run("UPDATE consignee SET state = 'answered', answered_at = now()")
    link = returning.page(1)
    assert f"{link}/labels.pdf?lang=" in (await api.client.get(link)).text
    (own,) = codes((await api.client.get(f"{link}/labels.pdf")).content)
    assert any(second[1] in text for text in own)
    assert not any(first[1] in text for text in own)


async def test_parcels_are_counted_by_rma_in_parts_and_what_comes_beyond_is_flagged(returning: Returning) -> None:
    sequence, rma = await returning.approved()
    scanned = f"{rma[:6]} {rma[6:]}".lower()
    status, first = await returning.count("3", rma=scanned, tracking_no="1Z999AA10123456784")
    assert status == 201, first
    counted = first["counted"]
    assert isinstance(counted, dict)
    assert (counted["rma"], counted["tracking_no"], counted["beyond_announced"]) == (rma, "1Z999AA10123456784", "0")
    assert (counted["consignee_id"], counted["lot_id"]) == (returning.consignees[0], returning.warehouse.lot)
    status, second = await returning.count("7", rma=rma)
    assert (status, second["counted"]["beyond_announced"]) == (201, "2")  # type: ignore[index]
    status, third = await returning.count("1", rma=rma)
    assert (status, third["counted"]["beyond_announced"]) == (201, "1")  # type: ignore[index]
    shown = (await returning.warehouse.api.get(f"{URL}/dispositions/{sequence}")).json()
    assert (shown["state"], shown["done"], [part["quantity"] for part in shown["parts"]]) == ("done", "8", ["3", "5"])
    assert returning.warehouse.stock() == (61, 61)
    label = await returning.warehouse.api.get(f"{URL}/returns/{rma}/label.pdf")
    assert (label.status_code, label.json()["type"]) == (409, "urn:recall:problem:conflict")
    assert violations(returning.warehouse.url) == []


async def test_a_foreign_misread_or_void_rma_counts_nothing(returning: Returning) -> None:
    sequence, rma = await returning.approved()
    exchange, swapped = await returning.approved(1, "replace", "5")
    destroy = await returning.warehouse.approved("destroy", "1")
    (own,) = returning.warehouse.rows("SELECT id FROM disposition WHERE sequence = %s", destroy)[0]
    wrong = rma[:-1] + str((int(rma[-1]) + 1) % 10)
    for given in (wrong, rma_number(own), rma_number(888_888), "parcel"):
        status, answer = await returning.count("1", rma=given)
        assert (status, [each["pointer"] for each in answer["errors"]]) == (422, ["#/rma"])  # type: ignore[attr-defined]
    status, answer = await returning.count("1", rma=rma, lot_id=returning.warehouse.lot + 1)
    assert (status, [each["pointer"] for each in answer["errors"]]) == (422, ["#/lot_id"])  # type: ignore[attr-defined]
    status, answer = await returning.count("1", rma=swapped)
    assert (status, f"carrying out the disposition {exchange}" in str(answer["detail"])) == (409, True)
    await returning.warehouse.api.post(f"{URL}/dispositions/{sequence}/withdraw", {"reason": "kept there"}, Role.QA)
    status, answer = await returning.count("1", rma=rma)
    assert (status, "is void" in str(answer["detail"])) == (409, True)
    status, answer = await returning.count("1")
    assert (status, answer["type"]) == (422, "urn:recall:problem:invalid")
    assert returning.warehouse.stock() == (50, 50)
    status, _ = await returning.count("1", consignee_id=returning.consignees[0], lot_id=returning.warehouse.lot)
    assert (status, returning.warehouse.stock()) == (201, (51, 51))
