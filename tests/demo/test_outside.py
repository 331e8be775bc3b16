"""The pieces that play people from outside: forms as a browser sees them, the cast, the sample chain read by hand."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from demo.cast import cast_roles
from demo.html_form import PageError, read_page
from demo.sample import Chain, read_truth

pytestmark = pytest.mark.unit
PAGE = """<!doctype html><html lang="zh-CN"><body><form method="post" action="/r/x">
<button type="submit" hidden></button><input type="hidden" name="step" value="lots">
<fieldset><legend>Lot A-1</legend><p>HIV kit</p>
<label for="n">Still here</label><input id="n" name="on_hand-7" value=""></fieldset>
<input type="radio" name="affected" value="yes"><input type="radio" name="affected" value="no">
<select name="to"><option value="7" selected>A-1</option></select><input name="off" disabled>
<button name="back" value="yes">Back</button></form><script>var hidden = "text";</script></body></html>"""


def test_a_form_is_sent_as_a_browser_would_send_it() -> None:
    page = read_page("http://x/r/x", 200, PAGE)
    form = page.form()
    sent = form.data({"on_hand-7": "3", "affected": "no"})
    assert sent == {"step": "lots", "on_hand-7": "3", "affected": "no", "to": "7"}
    assert form.data({}, "back") == {"step": "lots", "on_hand-7": "", "to": "7", "back": "yes"}
    assert (page.language, form.fields["on_hand-7"].label) == ("zh-CN", "Still here")
    assert form.fields["on_hand-7"].group.startswith("Lot A-1 HIV kit")
    assert "hidden =" not in page.text


@pytest.mark.parametrize(
    ("filled", "button"),
    [
        ({"step": "done"}, None),
        ({"missing": "1"}, None),
        ({"affected": "maybe"}, None),
        ({"off": "1"}, None),
        ({}, "go"),
    ],
)
def test_nothing_can_be_sent_that_the_page_does_not_offer(filled: dict[str, str], button: str | None) -> None:
    with pytest.raises(PageError):
        read_page("http://x/r/x", 200, PAGE).form().data(filled, button)


def test_the_cast_is_the_same_for_the_same_seed_and_has_every_part() -> None:
    consignees = [f"Country {number} / P{number}" for number in range(53)]
    cast = cast_roles(consignees, 1, consignees[5])
    assert cast == cast_roles(list(reversed(consignees)), 1, consignees[5])
    assert cast != cast_roles(consignees, 2, consignees[5])
    for group in (cast.bouncing, cast.by_sms, cast.silent_until_reminder, cast.silent_until_escalation, cast.chinese):
        assert group
        assert consignees[5] not in group
    assert {contact.partner for contact in cast.contacts} == set(consignees)
    addresses = [address for each in cast.contacts for address in (each.email, each.phone) if address]
    assert len(addresses) == len(set(addresses))


def test_nobody_real_can_be_reached() -> None:
    cast = cast_roles([f"C{number} / P" for number in range(200)], 3, "C7 / P")
    for contact in cast.contacts:
        assert contact.email is None or contact.email.endswith(".example")
        assert contact.phone is None or re.fullmatch(r"\+1[2-9]\d\d55501\d\d", contact.phone)


def _write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.csv").write_text(text)


def test_the_sample_chain_is_followed_through_loops_and_summed_by_hand(tmp_path: Path) -> None:
    _write(tmp_path, "products", "Code,Name,Per box,Unit\nRAW,Resin,1,kg\nBULK,Bulk,1,m\nSET,Set,50,set\n")
    places = "Code,Custody,Kind,Language\nSUP,customer,supplier,en\nMFG,own,manufacturer,en\nHOS,customer,hospital,en\n"
    _write(tmp_path, "partners", places)
    head = "Input product,Input lot,Input site,Output product,Output lot,Output site\n"
    loop = "RAW,R1,SUP,BULK,B1,MFG\nBULK,B1,MFG,SET,L1,MFG\nSET,L1,MFG,BULK,B1,MFG\nRAW,R2,SUP,SET,L2,MFG\n"
    _write(tmp_path, "genealogy", head + loop)
    moves = "Type,Product,Lot,Site,From,To,Quantity,Unit,Proof of delivery,Document\n"
    moves += "shipment,SET,L1,MFG,MFG,HOS,2,box,yes,D1\n"  # 100, delivered
    moves += "shipment,SET,L1,MFG,MFG,HOS,10,set,no,D2\nreceipt,SET,L1,MFG,,HOS,4,set,no,D2\n"  # 6 still under way
    moves += "receipt,SET,L1,MFG,,HOS,5,set,no,D3\n"  # nobody announced it
    moves += "return,SET,L1,MFG,HOS,MFG,3,set,no,D4\nshipment,SET,L2,MFG,MFG,HOS,9,set,yes,D5\n"
    _write(tmp_path, "movements", moves)
    _write(tmp_path, "stock", "Location,Product,Lot,Site,On hand\nMFG,SET,L1,MFG,7\nMFG,SET,L2,MFG,8\n")
    chain, lot = Chain(tmp_path), ("SET", "L1", "MFG")
    assert chain.widest_raw_lot() == ("RAW", "R1", "SUP")
    truth = read_truth(chain, ("RAW", "R1", "SUP"), [])
    assert truth.lots == {("RAW", "R1", "SUP"), ("BULK", "B1", "MFG"), lot}
    assert truth.received == {("HOS", lot): Decimal(115)}
    assert truth.held == {("MFG", lot): Decimal(7), ("HOS", lot): Decimal(6)}
    assert chain.returned(truth.lots) == {("HOS", lot): Decimal(3)}
