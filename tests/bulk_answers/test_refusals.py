"""Every wrong cell of a file is named by line and column with what was expected, and then nothing is recorded."""

import pytest

from api.bulk_answers import MOST_SITES
from api.bulk_columns import key_of
from api.bulk_sheet import MAX_BYTES, MAX_ROWS, SheetRefused, read_sheet
from tests.bulk_answers.conftest import ALL_USED, WHO, Desk, rows_of, table

pytestmark = pytest.mark.db
Row = dict[str, str]
_TO = {"passed_on_to": "Clinic", "passed_on_email": "a@clinic.example"}


async def test_one_wrong_cell_keeps_the_whole_file_back_and_every_other_is_named_too(desk: Desk) -> None:
    good = rows_of("Mercy", "A1", "B2")
    bad = [
        {"consignee": "P-Nobody", "lot": "A1"} | ALL_USED | WHO,
        *rows_of("Hope", "A1", used="ten"),
        *rows_of("Hope", "C3"),
        {"consignee": "P-Grace", "lot": "A1", "on_hand": "1"} | WHO,
    ]
    assert await desk.refused(table(*good, *bad)) == {
        "#/rows/4/consignee": "no consignee of this recall has this code",
        "#/rows/5/used": "expected a number like 1234.5",
        "#/rows/6/lot": "expected a lot this consignee is asked for: A1, B2",
        "#/rows/7/held": "expected a number; zero is an answer, an empty cell is none",
        "#/rows/7/used": "expected a number; zero is an answer, an empty cell is none",
        "#/rows/7/passed_on": "expected a number; zero is an answer, an empty cell is none",
    }


_CELLS: list[tuple[Row, str, str]] = [
    ({"consignee": ""}, "consignee", "expected the code of a consignee of this recall"),
    ({"lot": ""}, "lot", "expected a lot or a serial number"),
    ({"gtin": "0950600"}, "gtin", "expected a GTIN of 8, 12, 13 or 14 digits; a spreadsheet may have spoilt it"),
    (
        {"gtin": "9.50601E+12"},
        "gtin",
        "expected a GTIN of 8, 12, 13 or 14 digits; a spreadsheet may have spoilt it",
    ),
    ({"gtin": "09506000134352"}, "gtin", "expected the GTIN of a product this consignee is asked for"),
    ({"key": "K1"}, "key", "expected the key as it was given out, of a lot that is still asked for; or none"),
    ({"used": "-1"}, "used", "expected a quantity of zero or more"),
    ({"used": "1,5"}, "used", "expected a number like 1234.5"),
    ({"used": "10000000000000"}, "used", "expected less than a million million units"),
    (
        {"passed_on": "1"} | _TO | {"passed_on_to": ""},
        "passed_on_to",
        "expected the name of the site the units went to",
    ),
    (
        {"passed_on": "1", "passed_on_to": "Clinic"},
        "passed_on_email",
        "expected an e-mail address or a telephone number",
    ),
    ({"passed_on": "1"} | _TO | {"passed_on_email": "clinic"}, "passed_on_email", "expected an e-mail address"),
    (
        {"passed_on": "1"} | _TO | {"passed_on_phone": "+49 211 1234567 12345"},
        "passed_on_phone",
        "expected a telephone number with its country code",
    ),
    (
        {"passed_on": "1"} | _TO | {"passed_on_phone": "extension 5"},
        "passed_on_phone",
        "expected a telephone number with its country code",
    ),
    ({"passed_on": "1"} | _TO | {"passed_on_kind": "shop"}, "passed_on_kind", "expected hospital or distributor"),
    (
        {"passed_on": "1"} | _TO | {"passed_on_email": "grace@grace.example"},
        "passed_on_to",
        "Clinic: the consignee itself",
    ),
    (_TO, "passed_on", "expected how many units went there"),
    ({"patients_exposed": "3"}, "patients_contacted", "expected all four counts of patients, or none"),
    ({"serial": "S1", "used": "2"}, "serial", "one serial number is one unit"),
    ({"responder_name": ""}, "responder_name", "expected the name of whoever answers for this consignee"),
    ({"responder_role": "r" * 101}, "responder_role", "expected at most 100 characters"),
    ({"remark": "r" * 2001}, "remark", "expected at most 2000 characters"),
]


async def test_what_is_wrong_with_a_cell_is_said_in_words(desk: Desk) -> None:
    for change, column, detail in _CELLS:
        answer = await desk.send(table(*rows_of("Grace", "A1", **change)), preview=True)
        assert answer.status_code == 422, (change, answer.text)
        found = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
        assert found.get(f"#/rows/2/{column}") == detail, (change, found)


async def test_counts_of_patients_are_checked(desk: Desk) -> None:
    names = ("patients_exposed", "patients_contacted", "patients_monitored", "patients_replaced")
    for counts, detail in (
        (["3", "4", "0", "0"], "expected no more than patients_exposed"),
        (["3", "x", "0", "0"], "expected a whole number from 0 to 1000000"),
    ):
        cells = dict(zip(names, counts, strict=True))
        found = await desk.refused(table(*rows_of("Grace", "A1", **cells)))
        assert found == {"#/rows/2/patients_contacted": detail}
    desk.world.run("UPDATE partner SET kind = 'distributor'")
    found = await desk.refused(table(*rows_of("Grace", "A1", **cells)))
    assert found == {"#/rows/2/patients_exposed": "patients are counted by hospitals; this is a distributor"}


async def test_a_consignee_is_answered_for_wholly_or_not_at_all(desk: Desk) -> None:
    found = await desk.refused(table(*rows_of("Mercy", "A1")))
    assert found == {"#/rows/2/lot": "a row for lot B2 of this consignee is missing; zero is an answer"}
    found = await desk.refused(table(*rows_of("Grace", "A1"), *rows_of("Grace", "A1")))
    assert found == {"#/rows/3/lot": "the lot is there twice: a further row says only to whom more of it was passed on"}
    found = await desk.refused(table(*rows_of("Mercy", "A1"), *rows_of("Mercy", "B2", responder_name="Somebody else")))
    assert found == {"#/rows/3/responder_name": "expected the same in every row of a consignee, or only in one"}


async def test_sites_that_are_left_blank_are_named_and_still_asked(desk: Desk, sites: dict[str, int]) -> None:
    blank = {"consignee": "P-Hope", "lot": "A1"}
    answer = (await desk.send(table(*rows_of("Grace", "A1"), blank, blank | {"lot": "B2"}))).json()
    assert [site["code"] for site in answer["left_blank"]] == ["P-Hope"]
    assert (answer["recorded"], desk.state(sites["Hope"])) == (1, "open")
    refused = await desk.send(table(blank | {"remark": "closed since May"}, blank | {"lot": "B2"}))
    pointers = {each["pointer"] for each in refused.json()["errors"]}
    assert "#/rows/2/on_hand" in pointers, "a remark is never dropped with its row"


async def test_a_key_names_the_row_and_is_not_overruled_by_what_a_spreadsheet_spoilt(
    desk: Desk, sites: dict[str, int]
) -> None:
    desk.world.run("UPDATE lot SET number = '007' WHERE number = 'A1'")
    key = key_of(sites["Grace"], desk.world.lot_ids[0])
    good = {"consignee": "P-Grace", "lot": "7", "key": key} | ALL_USED | WHO
    assert (await desk.send(table(good), preview=True)).status_code == 200
    assert await desk.refused(table(good | {"consignee": "P-Hope"}, *rows_of("Hope", "007", "B2"))) == {
        "#/rows/2/consignee": "this is another consignee than the key names"
    }
    key = key_of(sites["Hope"], desk.world.lot_ids[0])
    found = await desk.refused(table(good | {"consignee": "P-Hope", "key": key, "lot": "B2"}))
    assert found["#/rows/2/lot"] == "this is another lot than the key names"


async def test_two_products_with_one_lot_number_are_told_apart_by_gtin(desk: Desk, sites: dict[str, int]) -> None:
    for gtin, lot in (("09506000134352", 0), ("09506000134369", 1)):
        made = (
            "INSERT INTO product (code, name, gtin, unit_of_use, implantable, life_supporting, sterile)"
            " VALUES (%s, %s, %s, 'test', false, false, false) RETURNING id"
        )
        product = desk.world.one(made, gtin, f"Kit {gtin}", gtin)
        desk.world.run("UPDATE lot SET number = 'X', product_id = %s WHERE id = %s", product, desk.world.lot_ids[lot])
    found = await desk.refused(table(*rows_of("Mercy", "X", "X")))
    assert found["#/rows/2/lot"] == "two products have it: expected the GTIN or the key with it"
    gtins = ("9506000134352", "9506000134369")
    rows = [row | {"gtin": gtin} for row, gtin in zip(rows_of("Mercy", "X", "X"), gtins, strict=True)]
    assert (await desk.send(table(*rows))).status_code == 201


async def test_harm_in_a_refused_file_is_pointed_at(desk: Desk) -> None:
    answer = await desk.send(table(*rows_of("Grace", "A1", used="?", remark="A patient was injured")))
    assert (answer.status_code, answer.json()["harm_in_rows"]) == (422, [2])
    assert "record these as complaints now" in answer.json()["detail"]


async def test_a_file_of_another_recall_finds_nobody_here(desk: Desk) -> None:
    assert (await desk.send(table(*rows_of("Grace", "A1")))).status_code == 201
    desk.world.run("UPDATE consignee SET state = 'withdrawn'")
    found = await desk.send(table(*rows_of("Grace", "A1")), preview=True)
    assert found.json()["errors"] == [
        {"pointer": "#/rows/2/consignee", "detail": "this consignee is asked for no lot of this recall"}
    ]


_HEAD = b"consignee,lot,on_hand,held,used,passed_on"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "got an empty file"),
        (b" \r\n", "got an empty file"),
        (b"\xd0\xcf\x11\xe0", "got an old workbook: save the sheet as CSV (UTF-8) or XLSX"),
        (b"\x1f\x8b\x08", "got a compressed file"),
        (b"\xff\xfea", "this is no utf-16 text"),
        (_HEAD + b"\nM\xfcller,A1,0,0,0,0\n", "name the right `encoding` (windows-1252, gb18030, utf-16)"),
        (_HEAD + b"\na\x00b,A1,0,0,0,0\n", "control characters"),
        (b"<html><body>" + _HEAD, "no such column: <html><body>consignee"),
        (b"a,b,c\n1,2,3\n", "expected titles of columns in the first line"),
        (_HEAD + b",used\n", "this column is there twice"),
        (_HEAD + b",destroyd\n", "no such column: destroyd"),
        (b"consignee,lot,on_hand,held,used,returned\n", "this column is missing"),
        (b"lot,on_hand,held,used,passed_on\n", "expected the column key, or consignee with lot or serial"),
        (_HEAD + b'\n"P-Grace,A1,0,0,0,0\n', "malformed CSV"),
        (_HEAD + b"\n" + b"a,b,0,0,0,0\n" * (MAX_ROWS + 1), f"at most {MAX_ROWS} rows"),
    ],
)
def test_a_file_that_is_no_table_of_answers_is_refused_as_a_whole(content: bytes, said: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        read_sheet(content)
    assert said in str(refused.value)
    assert "answers.csv" not in str(refused.value), "where we put it is nobody's business"


async def test_files_that_are_too_large_or_no_tables_are_answered_as_problems(desk: Desk) -> None:
    assert (await desk.send(b"x" * (MAX_BYTES + 1))).status_code == 413
    assert await desk.refused(_HEAD + b"\n") == {"#/rows/2": "expected one row per lot"}
    assert await desk.refused(_HEAD + b"\n\nP-Grace,A1,0,0,10,0,and more\n") == {
        "#/rows/3": "a cell stands in a column without a title"
    }
    empty = await desk.callers.client.post(f"{desk.url}/preview", headers=desk.callers.headers(None))
    assert empty.status_code == 401
    assert MOST_SITES < MAX_ROWS


async def test_what_spreadsheets_save_is_read(desk: Desk) -> None:
    def grace(**cells: str) -> Row:
        return rows_of("Grace", "A1", **cells)[0]

    for number, (content, form) in enumerate(
        (
            (table(grace(used="9.5"), separator=";", encoding="utf-8-sig"), {}),
            (table(grace(used="9.5"), separator="\t", encoding="utf-16"), {}),
            (table(grace(used="9,5"), separator=";"), {"decimal": "comma"}),
            (table(grace(used="９.5", remark="已装箱"), encoding="gb18030"), {"encoding": "gb18030"}),
            (table(grace(used="9.5", remark="old")).replace(b"\r\n", b"\r"), {}),
        ),
        start=1,
    ):
        answer = await desk.send(content, form)
        assert answer.status_code == 201, answer.text
        used = desk.world.rows("SELECT used FROM reply_line")
        assert [str(row["used"]) for row in used] == ["9.500000"] * number


async def test_who_answers_may_be_named_once_for_the_whole_file(desk: Desk) -> None:
    content = table({"consignee": "P-Grace", "lot": "A1"} | ALL_USED)
    assert (await desk.send(content, WHO)).status_code == 201
    assert [reply["responder_name"] for reply in desk.replies()] == [WHO["responder_name"]]
    too_long = await desk.send(content, {"responder_name": "x", "responder_role": "y" * 101})
    assert too_long.status_code == 422
