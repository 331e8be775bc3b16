"""Code lists: read strictly, loaded as versions, searched, and what a record's codes are checked against."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.engine import SessionFactory
from db.repositories import codes
from db.repositories.codes import CodesRefused, ListFile, ListRefused
from domain.codes import CAUSE_ANNEXES, COMPLAINT_ANNEXES, PROBLEM_ANNEXES, CodeListUnreadable, read_codes
from tests.api.test_staff import recall_command
from tests.support.servers import PostgresForTests

SAMPLE = Path(__file__).parent / "codes.csv"
REAL = Path(__file__).parents[3] / "shared/data/maude/FDA-CDRH_NCIt_Subsets.csv"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.unit
def test_a_code_lies_below_the_longest_other_it_begins_with() -> None:
    terms = {each.code: each for each in read_codes(SAMPLE.read_text())}
    assert (terms["A0501"].parent, terms["A05"].parent, terms["G04073"].parent) == ("A05", None, None)
    assert terms["C06"].annex == "C"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,b\n1,2\n", "missing: IMDRF Code"),
        ("IMDRF Code,CDRH Preferred Term\n", "no rows"),
        ("IMDRF Code,CDRH Preferred Term\nH01,x\n", "row 2: IMDRF Code"),
        ("IMDRF Code,CDRH Preferred Term\nIMDRF:A01,x\nIMDRF:A01,y\n", "row 3: A01 stands for 'x'"),
        ("IMDRF Code,CDRH Preferred Term,CDRH Source Code\nIMDRF:A01,x,1\nIMDRF:A01,y,2\n", "row 3: A01 stands"),
    ],
)
def test_a_list_that_is_none_names_its_rows(text: str, what: str) -> None:
    with pytest.raises(CodeListUnreadable, match=what):
        read_codes(text)


async def load(db: SessionFactory, text: str, version: str, day: datetime) -> codes.Loaded:
    file = ListFile(version, day, "codes.csv", hashlib.sha256(text.encode()).hexdigest())
    async with db.begin() as session:
        return await codes.load(session, read_codes(text), file, by="adam", now=day)


@pytest.mark.db
async def test_a_newer_list_retires_what_it_leaves_out_and_every_wrong_code_is_named(db: SessionFactory) -> None:
    async with db() as session:
        with pytest.raises(CodesRefused, match="no code list is loaded"):
            await codes.check(session, ["A05"], PROBLEM_ANNEXES, NOW)
    text = SAMPLE.read_text()
    assert (await load(db, text, "2026", NOW)).terms == 8
    assert not (await load(db, text, "2026", NOW)).new
    newer = "\n".join(line for line in text.splitlines() if "IMDRF:A0401" not in line) + "\n"
    with pytest.raises(ListRefused, match="expected a later day"):
        await load(db, newer, "2025", NOW - timedelta(days=1))
    later = NOW + timedelta(days=10)
    assert (await load(db, newer, "2027", later)).retired == 1
    async with db() as session:
        assert await codes.check(session, ["A0401", "A05"], PROBLEM_ANNEXES, NOW + timedelta(days=1))
        with pytest.raises(CodesRefused) as refused:
            await codes.check(session, ["A0401", "A9999", "E2311", "C06", "C06"], CAUSE_ANNEXES | {"A"}, later)
    found = {each.index: each.detail for each in refused.value.faults}
    assert "retired on 2026-06-11" in found[0]
    assert "not in the code list 2027" in found[1]
    assert "annex E" in found[2]
    assert found[4] == "named twice"
    async with db() as session:
        hits = await codes.search(session, part="joint", annex="A", parent=None, retired=False, after="", limit=9)
        below = await codes.search(session, part=None, annex=None, parent="A05", retired=False, after="", limit=9)
    assert [each.code for each in hits] == [each.code for each in below] == ["A0501"]


@pytest.mark.db
async def test_the_command_line_loads_and_searches(db: SessionFactory, postgres: PostgresForTests) -> None:
    code, out, _ = await recall_command(postgres.app_url, "codes", "import", str(SAMPLE), "--version", "2026")
    assert (code, "8 terms" in out) == (0, True)
    assert "A0501" in (await recall_command(postgres.app_url, "codes", "search", "joint"))[1]
    other = ("codes", "import", str(SAMPLE), "--version", "2027")
    code, _, err = await recall_command(postgres.app_url, *other)
    assert (code, "on record as version 2026" in err) == (2, True)


@pytest.mark.db
@pytest.mark.skipif(not REAL.exists(), reason="FDA's code list is not beside the project (../shared/data/maude)")
async def test_the_list_that_fda_publishes_is_entered_whole(db: SessionFactory) -> None:
    text = REAL.read_text(encoding="utf-8")
    terms = {each.code: each for each in read_codes(text)}
    counts = {annex: sum(each.annex == annex for each in terms.values()) for annex in "ABCDEFG"}
    assert counts == {"A": 487, "B": 25, "C": 158, "D": 45, "E": 740, "F": 72, "G": 293}
    # One term under both its names, in two rows with one code of FDA's.
    assert terms["F27"].term == "Problem identified during non-clinical procedure / No Patient Involvement"
    assert (terms["F27"].fda_code, terms["A0101"].parent) == ("2645", "A01")
    assert (await load(db, text, "2026-11", NOW)).terms == len(terms) == 1820
    async with db() as session:
        assert await codes.check(session, ["A0101", "E2311", "F27", "G04073"], COMPLAINT_ANNEXES, NOW)
        (found,) = await codes.search(
            session, part="no patient involvement", annex="F", parent=None, retired=False, after="", limit=9
        )
    assert found.code == "F27"
