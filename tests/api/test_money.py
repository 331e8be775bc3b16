"""Costs, accounts and journals over HTTP: attributed, imported, mapped by two persons, balanced, closed for good."""

import csv
import hashlib
import io
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.repositories import disposition_tasks, journals
from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.api import write_consignee

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
JOURNALS = f"{URL}/journals"
IN_EUR: dict[str, Any] = {"in": "EUR"}


async def _map(at: Warehouse, kind: str, debit: str | None = "6810", **more: Any) -> Any:
    body = {"kind": kind, "valid_from": "2020-01-01", "note": "chart 2026"} | more
    body |= {"debit": debit, "credit": "2001"} if debit else {}
    rule = await at.api.post("/v1/account-rules", body, Role.HEAD_OF_SUPPLY)
    assert rule.status_code == 201, rule.text
    url = f"/v1/account-rules/{rule.json()['id']}/approve"
    approved = await at.api.post(url, {"reason": "as the chart says"}, Role.FINANCE)
    assert approved.status_code == 200, approved.text
    return approved.json()


async def _book(at: Warehouse, **values: Any) -> Any:
    body = {"kind": "labour", "amount": "10.00", "currency": "EUR"} | values
    answer = await at.api.post(f"{URL}/costs", body, Role.FINANCE)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _send(at: Warehouse, text: str, key: str) -> Any:
    files = {"file": ("costs.csv", text.encode(), "text/csv")}
    return await at.api.client.post(f"{URL}/costs/import", files=files, headers=at.api.headers(Role.FINANCE, key))


async def test_the_mapping_is_proposed_by_one_and_approved_by_another(warehouse: Warehouse) -> None:
    body = {"kind": "labour", "debit": "6810", "credit": "2001", "valid_from": "2026-01-01"}
    rule = await warehouse.api.post("/v1/account-rules", body, Role.FINANCE)
    url = f"/v1/account-rules/{rule.json()['id']}"
    own = await warehouse.api.post(f"{url}/approve", {"reason": "mine"}, Role.FINANCE)
    assert (own.status_code, own.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    assert (await warehouse.api.post(f"{url}/approve", {"reason": "r"}, Role.QA)).status_code == 403
    assert (await warehouse.api.post(f"{url}/approve", {"reason": "r"}, Role.HEAD_OF_QUALITY)).status_code == 200
    again = await warehouse.api.post(f"{url}/reject", {"reason": "r"}, Role.HEAD_OF_QUALITY)
    assert again.json()["type"] == "urn:recall:problem:already-decided"
    for wrong in ({"credit": None}, {"credit": "6810"}, {"valid_until": "2025-01-01"}, {"kind": "bribe"}):
        assert (await warehouse.api.post("/v1/account-rules", body | wrong, Role.FINANCE)).status_code == 422
    with psycopg.connect(warehouse.url) as owner, pytest.raises(psycopg.errors.CheckViolation, match="four_eyes"):
        owner.execute(
            "INSERT INTO account_rule (kind, valid_from, state, request, proposed_by, proposed_at, decided_by,"
            " decided_at) VALUES ('labour', '2026-01-01', 'approved', 'r', 'Fiona', now(), ' fiona', now())"
        )


async def test_a_journal_has_each_entry_once_balances_and_never_changes(warehouse: Warehouse) -> None:
    for kind in ("labour", "fines"):
        await _map(warehouse, kind)
    first = await _book(warehouse)
    await _book(warehouse, amount="90000", currency="JPY", document_no="=7")
    await _book(warehouse, kind="fines", amount="-0.25")
    closed = await warehouse.api.post(JOURNALS, {}, Role.FINANCE, key="close-1")
    assert closed.status_code == 201, closed.text
    journal = closed.json()
    assert (journal["name"], journal["line_count"]) == (f"{NUMBER}-J0001", 6)
    assert journal["totals"] == {"EUR": "10.25", "JPY": "90000"}
    same = await warehouse.api.post(JOURNALS, {}, Role.FINANCE, key="close-1")
    assert same.json() == journal
    nothing = await warehouse.api.post(JOURNALS, {}, Role.FINANCE)
    assert (nothing.status_code, nothing.json()["type"]) == (409, "urn:recall:problem:nothing-to-book")
    exported = await warehouse.api.get(f"{JOURNALS}/1/lines.csv", Role.FINANCE)
    assert hashlib.sha256(exported.content).hexdigest() == journal["sha256"]
    ((data,),) = warehouse.rows("SELECT data FROM audit_event WHERE action = 'journal.closed'")
    assert data["sha256"] == journal["sha256"]
    reverse = f"{URL}/costs/{first['id']}/reverse"
    assert (await warehouse.api.post(reverse, {"reason": "typed twice"}, Role.FINANCE)).status_code == 201
    # The mapping has moved on; a reversal is booked where the entry stands.
    await _map(warehouse, "labour", "6999", valid_from="2021-01-01")
    second = (await warehouse.api.post(JOURNALS, {}, Role.FINANCE)).json()
    lines = (await warehouse.api.get(f"{JOURNALS}/{second['sequence']}")).json()["lines"]
    assert [(each["account"], each["side"], each["reverses_entry"]) for each in lines] == [
        ("2001", "debit", first["id"]),
        ("6810", "credit", first["id"]),
    ]
    _balances(warehouse)
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert [row["document_no"] for row in rows] == ["", "", "'=7", "'=7", "", ""]


def _balances(at: Warehouse) -> None:
    """Recomputed over every line there is, apart from the product's own check."""
    sums: dict[tuple[int, str], Decimal] = {}
    rows = at.rows("SELECT journal_id, currency, side, amount FROM journal_line")
    for journal, currency, side, amount in rows:
        sums[journal, currency] = sums.get((journal, currency), Decimal(0)) + (amount if side == "debit" else -amount)
    assert rows
    assert set(sums.values()) == {Decimal(0)}


_LINE = (
    "INSERT INTO journal_line (journal_id, line_no, cost_entry_id, side, account, amount, currency, kind, posted_on)"
    " SELECT {journal}, {first} + n, (SELECT max(id) FROM cost_entry), s, 'x', {amount}, 'EUR', 'labour', '2026-01-01'"
    " FROM unnest(ARRAY['debit', 'credit']) WITH ORDINALITY t (s, n)"
)
_JOURNAL = (
    "INSERT INTO journal (recall_number, sequence, line_count, totals, sha256, left_open, request, closed_by,"
    " closed_at) VALUES ('RC-2026-000001', 9, 2, '{}', 'x', 0, 'r', 'x', now())"
)
BREAKS = {
    "another pair in a closed journal": [_LINE.format(journal="(SELECT min(id) FROM journal)", first=2, amount=1)],
    "a changed line": ["UPDATE journal_line SET amount = amount + 1"],
    "a changed journal": ["UPDATE journal SET totals = '{}'"],
    "a journal without lines": [_JOURNAL],
    "lines that differ": [_JOURNAL, _LINE.format(journal="(SELECT max(id) FROM journal)", first=0, amount="n")],
}


def _as_owner(url: str, statements: list[str]) -> None:
    with closing(psycopg.connect(url)) as owner:
        for statement in statements:
            owner.execute(statement)
        owner.commit()


@pytest.mark.parametrize("statements", BREAKS.values(), ids=BREAKS.keys())
async def test_even_the_owner_of_the_database_unbalances_no_journal(
    warehouse: Warehouse, statements: list[str]
) -> None:
    await _map(warehouse, "labour")
    await _book(warehouse)
    assert (await warehouse.api.post(JOURNALS, {}, Role.FINANCE)).status_code == 201
    await _book(warehouse)
    with pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)):
        _as_owner(warehouse.url, statements)
    _balances(warehouse)


async def test_what_has_no_accounts_refuses_the_journal_unless_it_is_left_out(warehouse: Warehouse) -> None:
    await _map(warehouse, "labour")
    await _map(warehouse, "labour", "6820", jurisdiction="us-fda", valid_from="2026-01-01")
    await _book(warehouse)
    fine = await _book(warehouse, kind="fines")
    draft = (await warehouse.api.get(f"{JOURNALS}/draft", Role.FINANCE)).json()
    assert (draft["entries"], [each["entry"] for each in draft["unmapped"]]) == (1, [fine["id"]])
    assert draft["lines"][0]["account"] == "6820", "the recall's only jurisdiction counts where none is named"
    refused = await warehouse.api.post(JOURNALS, {}, Role.FINANCE)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:recall:problem:unmapped")
    (error,) = refused.json()["errors"]
    assert error["pointer"] == f"#/entries/{fine['id']}"
    assert "no approved accounts for fines" in error["detail"]
    closed = await warehouse.api.post(JOURNALS, {"leave_unmapped": True, "note": "fine to follow"}, Role.FINANCE)
    assert (closed.json()["line_count"], closed.json()["left_open"]) == (2, 1)
    await _map(warehouse, "fines", "7000")
    later = (await warehouse.api.post(JOURNALS, {}, Role.FINANCE)).json()
    assert (later["sequence"], later["line_count"]) == (2, 2)
    assert (await warehouse.api.post(JOURNALS, {}, Role.QA)).status_code == 403
    warehouse.run("UPDATE recall SET drill = true")
    drill = await warehouse.api.post(JOURNALS, {}, Role.FINANCE)
    assert drill.json()["type"] == "urn:recall:problem:drill-blocked"


async def test_a_file_of_costs_is_booked_whole_or_not_at_all_and_once(warehouse: Warehouse) -> None:
    ((lot,),) = warehouse.rows("SELECT number FROM lot WHERE id = %s", warehouse.lot)
    titles = "reference;kind;amount;currency;lot;cause;quantity;incurred_on\r\n"
    good = f"INV-1;logistics;120.50;EUR;{lot};equipment;40;2026-01-05\r\nINV-2;fines;5000;USD;;;;\r\n"
    bad = titles + good + "INV-2;labour;1.005;EUR;NONE;witchcraft;-1;soon\r\nINV-4;labour;1.005;EUR;;;;\r\n"
    refused = await _send(warehouse, bad, "f1")
    assert refused.status_code == 422, refused.text
    assert {each["pointer"] for each in refused.json()["errors"]} >= {
        "#/rows/4/cause",
        "#/rows/4/quantity",
        "#/rows/4/incurred_on",
    }
    unknown = await _send(warehouse, titles + "INV-1;labour;1.00;EUR;NONE;;;\r\nINV-1;labour;1.005;EUR;;;;\r\n", "f2")
    told = {each["pointer"]: each["detail"] for each in unknown.json()["errors"]}
    assert "scope" in told["#/rows/2/lot"]
    assert told["#/rows/3/reference"] == "each reference once in a file"
    assert warehouse.rows("SELECT count(*) FROM cost_entry") == [(0,)]
    done = await _send(warehouse, titles + good, "f3")
    assert (done.status_code, done.json()) == (
        201,
        {"booked": 2, "already_there": 0, "totals": {"EUR": "120.5", "USD": "5000"}},
    )
    again = await _send(warehouse, titles + good, "f4")
    assert again.json() == {"booked": 0, "already_there": 2, "totals": {}}
    changed = await _send(warehouse, titles + good.replace("5000", "6000"), "f5")
    assert changed.json()["errors"][0]["pointer"] == "#/rows/3/reference"
    # The file is sent again on a later day; a row without a day still means the day it was booked.
    warehouse.run("UPDATE cost_entry SET booked_at = booked_at - interval '3 days'")
    warehouse.run("UPDATE cost_entry SET incurred_on = (booked_at AT TIME ZONE 'UTC')::date WHERE currency = 'USD'")
    later = await _send(warehouse, titles + good, "f6")
    assert later.json() == {"booked": 0, "already_there": 2, "totals": {}}
    for was, now, named in ((";40;", ";41;", "quantity"), ("equipment", "labelling", "cause")):
        changed = await _send(warehouse, titles + good.replace(was, now), f"h{named}")
        assert changed.status_code == 422, changed.text
        assert f": {named} differ" in changed.json()["errors"][0]["detail"]
    more = titles.replace("incurred_on", "company;jurisdiction;incurred_on")
    added = await _send(warehouse, more + "INV-2;fines;5000;USD;;;;ACME Inc;us-fda;\r\n", "f7")
    assert ": company, jurisdiction differ" in added.json()["errors"][0]["detail"]
    for text in ("", "reference\r\n", "reference,what\r\nx,y\r\n", 'reference,kind\r\n"x', "\x00"):
        assert (await _send(warehouse, text, f"g{len(text)}")).status_code == 422


async def test_dispositions_suggest_costs_that_a_person_books_once(warehouse: Warehouse) -> None:
    warehouse.run("UPDATE product SET unit_value = 2.505, unit_currency = 'EUR'")
    consignee = write_consignee(warehouse.url, NUMBER)
    warehouse.run(
        "INSERT INTO disposition (recall_number, sequence, kind, state, lot_id, consignee_id, quantity, done, reason,"
        " request, proposed_by, proposed_at) VALUES (%s, 90, 'destroy', 'done', %s, %s, 3, 3, 'r', 'd90', 'q', now())",
        NUMBER, warehouse.lot, consignee,
    )  # fmt: skip
    warehouse.run(
        "INSERT INTO disposition_part (disposition_id, sequence, quantity, document_no, request, done_by, done_at)"
        " SELECT id, 1, 3, 'CERT-1', 'p90', 'w', now() FROM disposition WHERE sequence = 90"
    )
    (suggested,) = (await warehouse.api.get(f"{URL}/costs/proposals")).json()["items"]
    assert (suggested["kind"], suggested["amount"], suggested["quantity"]) == ("credit", "7.52", "3")
    url = f"{URL}/costs/proposals/{suggested['part_id']}/confirm"
    sent = {"amount": "7.00", "note": "agreed"}
    booked = await warehouse.api.post(url, sent, Role.FINANCE, key="confirm-1")
    assert booked.status_code == 201, booked.text
    # The answer was lost with the key's record: what the request wrote is answered.
    warehouse.run("DELETE FROM idempotency_key WHERE key = 'confirm-1'")
    again = await warehouse.api.post(url, sent, Role.FINANCE, key="confirm-1")
    assert (again.status_code, again.json()) == (201, booked.json())
    assert (booked.json()["source"], booked.json()["amount"], booked.json()["consignee_id"]) == (
        "proposal",
        "7",
        consignee,
    )
    assert (await warehouse.api.get(f"{URL}/costs/proposals")).json()["items"] == []
    assert (await warehouse.api.post(url, {}, Role.FINANCE)).status_code == 404
    for amount in ("6", "5"):
        reverse = f"{URL}/costs/{booked.json()['id']}/reverse"
        assert (await warehouse.api.post(reverse, {"reason": "too much"}, Role.FINANCE)).status_code == 201
        (suggested,) = (await warehouse.api.get(f"{URL}/costs/proposals")).json()["items"]
        booked = await warehouse.api.post(url, {"amount": amount}, Role.FINANCE)
        assert (booked.status_code, booked.json()["amount"]) == (201, amount)
        assert (await warehouse.api.post(url, {}, Role.FINANCE)).status_code == 404


async def test_money_leaves_goods_alone(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_every_position(*_: object, **__: object) -> None:
        raise AssertionError("an entry of money brought the tasks of disposition in line")

    monkeypatch.setattr(disposition_tasks, "sync", read_every_position)
    await _map(warehouse, "labour")
    await _book(warehouse)
    assert (await warehouse.api.post(JOURNALS, {}, Role.FINANCE)).status_code == 201


async def test_entries_without_accounts_do_not_fill_a_journal(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST", 2)
    await _map(warehouse, "labour")
    for kind in ("fines", "fines", "fines", "labour", "labour", "labour"):
        await _book(warehouse, kind=kind)
    body = {"leave_unmapped": True}
    first = await warehouse.api.post(JOURNALS, body, Role.FINANCE)
    assert (first.status_code, first.json()["line_count"], first.json()["left_open"]) == (201, 4, 3)
    second = await warehouse.api.post(JOURNALS, body, Role.FINANCE)
    assert (second.json()["line_count"], second.json()["left_open"]) == (2, 3)
    nothing = await warehouse.api.post(JOURNALS, body, Role.FINANCE)
    assert nothing.json()["type"] == "urn:recall:problem:nothing-to-book"


async def test_each_entry_is_converted_and_rounded_by_itself(warehouse: Warehouse) -> None:
    for _ in range(3):
        await _book(warehouse, amount="0.01", currency="USD", incurred_on="2026-01-05")
    rate = {"currency": "USD", "base": "EUR", "rate": "0.6", "valid_on": "2026-01-02", "source": "ECB"}
    assert (await warehouse.api.post("/v1/exchange-rates", rate, Role.FINANCE)).status_code == 201
    total = (await warehouse.api.get(f"{URL}/costs/report", **IN_EUR)).json()["total"]
    assert (total["sums"], total["converted"], total["entries"]) == ({"USD": "0.03"}, "0.03", 3)


async def test_the_report_keeps_currencies_apart_unless_rates_are_stated(warehouse: Warehouse) -> None:
    consignee = write_consignee(warehouse.url, NUMBER)
    await _book(warehouse, cause="equipment", consignee_id=consignee, lot_id=warehouse.lot, quantity="5")
    await _book(warehouse, kind="fines", amount="1000", currency="JPY", incurred_on="2026-01-05")
    taken = await _book(warehouse, amount="3.00", location_id=warehouse.place)
    await warehouse.api.post(f"{URL}/costs/{taken['id']}/reverse", {"reason": "wrong recall"}, Role.FINANCE)
    plain = (await warehouse.api.get(f"{URL}/costs/report")).json()
    assert plain["total"]["sums"] == {"EUR": "10", "JPY": "1000"}
    assert plain["total"]["converted"] is None
    assert {each["key"]: each["sums"] for each in plain["by_kind"]} == {
        "fines": {"JPY": "1000"},
        "labour": {"EUR": "10"},
    }
    ((code,),) = warehouse.rows("SELECT p.code FROM consignee c JOIN partner p ON p.id = c.partner_id")
    ((place,),) = warehouse.rows("SELECT code FROM location WHERE id = %s", warehouse.place)
    sites = {each["key"]: each["sums"] for each in plain["by_site"]}
    assert sites == {code: {"EUR": "10"}, place: {"EUR": "0"}, "not attributed": {"JPY": "1000"}}
    assert [each["key"] for each in plain["by_cause"]] == ["equipment", "not attributed"]
    missing = (await warehouse.api.get(f"{URL}/costs/report", **IN_EUR)).json()
    assert (missing["total"]["converted"], missing["total"]["without_rate"]) == (None, 1)
    rate = {"currency": "JPY", "base": "EUR", "rate": "0.006", "valid_on": "2026-01-02", "source": "ECB"}
    stated = await warehouse.api.post("/v1/exchange-rates", rate, Role.FINANCE)
    assert stated.status_code == 201, stated.text
    both = (await warehouse.api.get(f"{URL}/costs/report", **IN_EUR)).json()
    assert (both["total"]["sums"], both["total"]["converted"]) == ({"EUR": "10", "JPY": "1000"}, "16")
    assert [each["source"] for each in both["rates"]] == ["ECB"]
    distributed = Decimal(both["distributed"])
    assert distributed > 0
    assert Decimal(both["per_distributed"]["EUR"]) == (10 / distributed).quantize(Decimal("0.0001"))
    for wrong in ({"base": "JPY"}, {"currency": "XYZ"}, {"valid_on": "2999-01-01"}, {"rate": "0"}, {"rate": 1.5}):
        assert (await warehouse.api.post("/v1/exchange-rates", rate | wrong, Role.FINANCE)).status_code == 422
    assert (await warehouse.api.post("/v1/exchange-rates", rate, Role.QA)).status_code == 403


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lot_id": 99999}, "#/lot_id"),
        ({"consignee_id": 99999}, "#/consignee_id"),
        ({"location_id": 99999}, "#/location_id"),
        ({"jurisdiction": "eu-mdr"}, "#/jurisdiction"),
        ({"incurred_on": "2999-01-01"}, "#/incurred_on"),
        ({"cause": "witchcraft"}, "#/cause"),
        ({"quantity": "0"}, "#/quantity"),
    ],
)
async def test_what_a_cost_belongs_to_has_to_be_on_record(
    warehouse: Warehouse, change: dict[str, Any], pointer: str
) -> None:
    cost = {"kind": "labour", "amount": "12.50", "currency": "EUR"} | change
    answer = await warehouse.api.post(f"{URL}/costs", cost, Role.QA)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
