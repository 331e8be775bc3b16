"""The largest file that is allowed keeps nobody else waiting: its rows are read one by one, and off the loop."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, SupportsIndex

import pytest

from api import bulk_recording
from api.bulk_rows import RowFault, RowReader
from api.bulk_sheet import SheetRow
from db.repositories import onward
from db.repositories.bulk_answers import Known, Site
from db.repositories.consignee_lots import ConsigneeLotRow
from tests.bulk_answers.conftest import ALL_USED, WHO, Desk, rows_of, table

pytestmark = pytest.mark.db


class Unread(list[RowFault]):
    """Faults of earlier rows, which are nobody's business."""

    def __iter__(self) -> Iterator[RowFault]:
        raise AssertionError("the faults of the whole file are gone through for one row")

    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        raise AssertionError("the faults of the whole file are gone through for one row")


class Once(tuple[ConsigneeLotRow, ...]):
    """Lots of a site that are gone through once."""

    seen = 0

    def __iter__(self) -> Iterator[ConsigneeLotRow]:
        type(self).seen += 1
        return super().__iter__()


def _lot(number: int) -> ConsigneeLotRow:
    return ConsigneeLotRow(
        consignee_id=1,
        lot_id=number,
        number=f"L{number}",
        key=f"L{number}",
        printed=f"L{number}",
        product="Kit",
        gtin=None,
        unit="test",
        received=Decimal(10),
        last_shipped_on=None,
        stated=False,
    )


@pytest.mark.unit
def test_a_row_is_read_without_going_through_the_others() -> None:
    lots = Once(_lot(number) for number in range(1, 200))
    site = Site(1, "P-1", "One", "hospital", "KE", "open", 1, None, lots)
    reader, faults = RowReader(Known((site,))), Unread()
    for number in range(1, 200):
        cells = {"consignee": "P-1", "lot": f"l {number}", "passed_on_to": "Clinic"} | ALL_USED
        assert reader.read(SheetRow(number + 1, cells | {"key": f"K1-{number}"} if number % 2 else cells), faults)
    assert len(faults) == 199
    assert Once.seen == 1


async def test_a_file_is_read_off_the_loop_and_its_receivers_are_looked_for_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    asked: list[int] = []
    for name in ("read_sheet", "read_batch"):
        real = getattr(bulk_recording, name)

        def noted(*given: Any, real: Any = real, **options: Any) -> Any:
            threads.append(threading.get_ident())
            return real(*given, **options)

        monkeypatch.setattr(bulk_recording, name, noted)
    find = onward.known_sites

    async def counted(session: Any, receivers: Any) -> list[int | None]:
        asked.append(len(receivers))
        return await find(session, receivers)

    monkeypatch.setattr(onward, "known_sites", counted)
    first, *more = (
        {
            "consignee": "P-Grace",
            "lot": "A1",
            "passed_on": "0.1",
            "passed_on_to": f"Clinic {number}",
            "passed_on_email": f"{number}@x.example",
        }
        for number in range(50)
    )
    answer = await desk.send(table(rows_of("Grace", "A1", used="5")[0] | first, *more), preview=True)
    assert answer.status_code == 200, answer.text
    assert (len(threads), threading.get_ident() in threads) == (2, False)
    assert asked == [50]


async def test_figures_that_add_up_to_more_than_the_record_holds_are_refused(desk: Desk) -> None:
    to = {"passed_on_to": "Clinic", "passed_on_email": "a@clinic.example"}
    more = {"consignee": "P-Grace", "lot": "A1", "passed_on": "600000000000"} | to
    found = await desk.refused(
        table(rows_of("Grace", "A1", passed_on="600000000000", **to)[0], more | {"passed_on_to": "Depot"})
    )
    assert found == {"#/rows/3/passed_on": "expected less than a million million units of the lot in all its rows"}
    none = dict.fromkeys(ALL_USED, "0") | WHO
    for serial in ("S1", "S2"):
        desk.world.run("INSERT INTO serial (lot_id, number) VALUES (%s, %s)", desk.world.lot_ids[0], serial)
    rows = [{"consignee": "P-Grace", "lot": "A1", "serial": serial} | none for serial in ("S1", "S2")]
    found = await desk.refused(table(*(row | {"held": "999999999999", "on_hand": "1"} for row in rows)))
    assert found == {"#/rows/3/held": "expected less than a million million units of the lot in all its rows"}
