"""What the end must come to is counted from files and diary, and a dossier is read as the zip file it is."""

import hashlib
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from demo import usaid
from demo.checker import main
from demo.final_count import balances, missing, stock_at_end
from demo.final_facts import Dossier
from demo.sample import Chain, read_truth
from demo.truth import Told, Truth, read_diary, read_doings
from tests.demo import final_world as small
from tests.demo.final_tables import GHANA, ZAMBIA
from tests.demo.final_world import units
from tests.demo.world import KIT_1, KIT_2, VIAL_1

pytestmark = pytest.mark.unit


def test_an_unknown_factory_is_not_our_stock() -> None:
    truth = small.truth()
    truth.ours.discard("Plant")
    truth.doings.destroyed.pop(("Plant", KIT_1))
    assert stock_at_end(truth) == {("DC-2", KIT_2): Decimal(40)}


def test_the_silent_site_counts_as_missing_only_when_it_was_documented() -> None:
    truth = small.truth()
    assert missing(truth) == {KIT_2: Decimal(20)}
    truth.before.returned[(GHANA, KIT_2)] = Decimal(6)
    assert missing(truth) == {KIT_2: Decimal(14)}
    truth.doings.documented.clear()
    assert missing(truth) == {}


def test_what_is_passed_on_is_not_counted_twice() -> None:
    truth = small.truth()
    used = balances(truth)["used"]
    assert used[KIT_1] == 35, "30 at the one that passed on, 5 at the site it named"
    truth.told[0].lines[KIT_1] = units(0, 99, 0, 0)  # type: ignore[index] # an earlier answer counts for nothing
    assert balances(truth)["used"] == used
    truth.doings.phone.append(Told(ZAMBIA, "phone", "statement", {KIT_1: units(0, 90, 0, 10)}))
    assert balances(truth)["used"][KIT_1] == 95


def test_a_diary_is_read_call_by_call_and_unit_by_unit(tmp_path: Path) -> None:
    kit, vial = [*KIT_1], [*VIAL_1]
    doings = {
        "phone": [
            ["A", *kit, "1", "2", "1", "0"],
            ["A", *vial, "0", "0", "0", "0"],
            ["B", *kit, "3", "0", "3", "0"],
            ["A", *kit, "0", "3", "0", "0"],
        ],
        "documented": ["G"],
        "second": [["RC-2026-000002", *kit, "DC"]],
        "released": [["DC", *kit, "2.5"], ["DC", *kit, "1"]],
        "returned": [["A", *kit, "5", "DC-9"], ["A", *vial, "1"]],
        "replaced": ["7", "2"],
    }
    diary = {"addresses": {}, "evidence": {}, "told": [], "onward": [], "silent": ["G"], "staff": ["on@call"]}
    path = tmp_path / "diary.json"
    path.write_text(json.dumps(diary | {"doings": doings, "papers": {"p.txt": "ab"}}))
    truth = Truth()
    read_diary(path, truth)
    assert [(call.consignee, set(call.lines)) for call in truth.doings.phone] == [
        ("A", {KIT_1, VIAL_1}),
        ("B", {KIT_1}),
        ("A", {KIT_1}),
    ]
    assert (truth.doings.documented, truth.silent, truth.staff) == ({"G"}, {"G"}, {"on@call"})
    assert truth.doings.released == {("DC", KIT_1): Decimal("3.5")}
    assert truth.doings.returned == {("A", KIT_1): Decimal(5), ("A", VIAL_1): Decimal(1)}
    assert truth.doings.docked == {("DC-9", KIT_1): Decimal(5), ("FG-BRAY", VIAL_1): Decimal(1)}
    assert (truth.doings.replaced, truth.papers) == (Decimal(9), {"p.txt": "ab"})
    assert truth.doings.second == [("RC-2026-000002", KIT_1)]


def test_doings_nobody_can_count_are_refused() -> None:
    with pytest.raises(ValueError, match="scattered"):
        read_doings({"scattered": []})


def test_the_lots_by_which_the_scope_grew_are_read_from_the_same_file(tmp_path: Path) -> None:
    head = "Brand,Manufacturing Site,Country,Project Code,Item Description,PO / SO #,Line Item Quantity\n"
    rows = "One,Plant,Zambia,Z1,HIV kit,PO-1,100\nTwo,Plant,Zambia,Z1,Control vial,PO-1,4\nTwo,Other,Kenya,K1,X,P,1\n"
    (tmp_path / "d.csv").write_text(head + rows)
    (tmp_path / "s.csv").write_text("product,lot,site,location,on_hand\nHIV kit,PO-1,Plant,DC,30\nX,P,Other,DC,9\n")
    first = usaid.read_truth(tmp_path / "d.csv", "One", "Plant", [tmp_path / "s.csv"])
    assert (first.lots, first.wider) == ({KIT_1}, set())
    truth = usaid.read_truth(tmp_path / "d.csv", "One", "Plant", [tmp_path / "s.csv"], ["Two"])
    assert (truth.lots, truth.wider) == ({KIT_1, VIAL_1}, {VIAL_1})
    assert truth.received == {(ZAMBIA, KIT_1): Decimal(100), (ZAMBIA, VIAL_1): Decimal(4)}
    assert truth.distributed == {KIT_1: Decimal(100), VIAL_1: Decimal(4)}
    assert truth.on_hand == truth.held == {("DC", KIT_1): Decimal(30)}
    assert truth.ours == {"Plant", "DC"}


def test_a_second_root_of_the_sample_chain_brings_only_its_own_lots(tmp_path: Path) -> None:
    tables = {
        "products": "Code,Name,Per box,Unit\nRAW,Resin,1,kg\nSET,Set,50,set\n",
        "partners": "Code,Custody,Kind,Language\nMFG,own,manufacturer,en\nDIS,customer,distributor,en\n"
        "HOS,customer,hospital,en\n",
        "genealogy": "Input product,Input lot,Input site,Output product,Output lot,Output site\n"
        "RAW,R1,MFG,SET,L1,MFG\nRAW,R2,MFG,SET,L1,MFG\nRAW,R2,MFG,SET,L2,MFG\n",
        "movements": "Type,Product,Lot,Site,From,To,Quantity,Unit,Proof of delivery,Document\n"
        "shipment,SET,L1,MFG,MFG,DIS,4,box,yes,D1\nshipment,SET,L1,MFG,DIS,HOS,1,box,yes,D2\n"
        "shipment,SET,L2,MFG,MFG,HOS,9,set,yes,D3\nreturn,SET,L1,MFG,DIS,MFG,3,set,no,D4\n"
        "return,SET,L1,MFG,HOS,DIS,2,set,no,D5\nconsumption,SET,L1,MFG,HOS,,5,set,no,\n"
        "consumption,SET,L1,MFG,MFG,,1,set,no,\ndestruction,SET,L2,MFG,MFG,,6,set,no,\n",
        "stock": "Location,Product,Lot,Site,On hand\nMFG,SET,L1,MFG,7\n",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text)
    one, two = ("SET", "L1", "MFG"), ("SET", "L2", "MFG")
    second = ("RAW", "R2", "MFG")
    truth = read_truth(Chain(tmp_path), ("RAW", "R1", "MFG"), [], [second])
    assert truth.wider == {second, two}
    assert truth.distributed == {("RAW", "R1", "MFG"): 0, second: 0, one: 200, two: 9}
    assert truth.before.passed == {("DIS", one): Decimal(50)}
    assert truth.before.returned == {("DIS", one): Decimal(3)}
    assert truth.before.used == {("HOS", one): Decimal(5)}
    assert truth.before.destroyed == {("MFG", two): Decimal(6)}
    assert truth.on_hand == {("MFG", one): Decimal(7)}
    assert balances(truth)["scrapped"][two] == 6


def _archive(path: Path) -> bytes:
    paper = b"certificate"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record/recall.json", '[{"number": "RC-2026-000001", "phase": "terminated"}]')
        archive.writestr("evidence/index.json", '[{"file": "evidence/files/x.txt", "file_name": "x.txt"}]')
        archive.writestr("evidence/files/x.txt", paper)
        archive.writestr("audit/chain.jsonl", '{"seq": 1}\n{"seq": 2}\n')
    return paper


def test_a_dossier_is_read_as_the_zip_file_it_is(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    paper = _archive(path)
    dossier = Dossier.read(path)
    assert dossier.recall["phase"] == "terminated"
    assert dossier.contents["evidence/files/x.txt"] == hashlib.sha256(paper).hexdigest()
    assert [event["seq"] for event in dossier.audit] == [1, 2]
    assert dossier.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(KeyError):
        dossier.rows("hold")


def test_a_file_that_is_no_dossier_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tokens.json").write_text('{"auditor": {"token": "t"}}')
    nowhere = "http://127.0.0.1:9"
    addresses = {"api": nowhere, "inbox": nowhere, "twilio": nowhere, "tokens_file": str(tmp_path / "tokens.json")}
    (tmp_path / "ready.json").write_text(json.dumps(addresses))
    (tmp_path / "diary.json").write_text(json.dumps({"addresses": {}, "evidence": {}, "told": [], "onward": []}))
    (tmp_path / "d.zip").write_bytes(b"PK no")
    head = "Brand,Manufacturing Site,Country,Project Code,Item Description,PO / SO #,Line Item Quantity\n"
    (tmp_path / "d.csv").write_text(head)
    given = ["--recall", "RC-2026-000001", "--final", "--dossier", str(tmp_path / "d.zip")]
    given += ["--diary", str(tmp_path / "diary.json"), "--addresses", str(tmp_path / "ready.json")]
    given += ["--file", str(tmp_path / "d.csv"), "--brand", "One", "--brand", "Two", "--site", "Plant"]
    assert main(given) == 2
    assert "is no zip file" in capsys.readouterr().err


@pytest.mark.parametrize("left_out", ["--final", "--dossier", "--diary"])
def test_the_options_of_the_end_belong_together(left_out: str) -> None:
    options = {"--final": [], "--dossier": ["d.zip"], "--diary": ["diary.json"]}
    given = ["--recall", "R", "--addresses", "a", "--file", "f", "--brand", "b", "--site", "s"]
    for name, values in options.items():
        given += [] if name == left_out else [name, *values]
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert stopped.value.code == 2
