"""What a WMS does wrong: it fails, lags, repeats, cuts the line, garbles, redirects, says too much or too little."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.inventory import http_client
from adapters.inventory.base import InventoryError
from adapters.inventory.bulk import HoldAsked
from adapters.inventory.http_pages import MOVED
from domain.inventory import Confirmation, Disposal, Documents, Located
from tests.inventory.http.conftest import Site, at, site_of

A = {"product": "P-1", "number": "A"}
RECALL, OTHER = "RC-2026-000001", "RC-2026-000002"
D = Decimal


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE", 0.005)


@pytest.mark.parametrize("status", [500, 503, 408, 429])
async def test_a_wms_that_fails_for_a_while_is_asked_again(site: Site, status: int) -> None:
    site.wms.faults.statuses = [status] * 2
    site.wms.faults.retry_after = "0"
    await site.adapter.hold("k:1", RECALL, at())
    assert len(site.wms.calls) == site.pace.turns == 3
    assert site.pace.complaints == ([timedelta(0)] * 2 if status == 429 else [])
    assert len({headers["Idempotency-Key"] for _, headers, _ in site.wms.calls}) == 1


async def test_a_wms_that_keeps_failing_is_given_up_with_its_own_words(site: Site) -> None:
    site.wms.faults.statuses = [503] * 99
    with pytest.raises(InventoryError, match=r"^wms: Not done: told to fail$"):
        await site.adapter.hold("k:1", RECALL, at())
    assert len(site.wms.calls) == http_client.MOST_TRIES


async def test_a_wait_longer_than_we_wait_ends_the_call_at_once(site: Site) -> None:
    site.wms.faults.statuses, site.wms.faults.retry_after = [429], "3000"
    with pytest.raises(InventoryError):
        await site.adapter.locate([1])
    assert site.pace.complaints == [timedelta(seconds=3000)]
    assert len(site.wms.calls) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_what_can_never_succeed_is_asked_once(site: Site, status: int) -> None:
    site.wms.faults.statuses = [status]
    with pytest.raises(InventoryError, match="told to fail"):
        await site.adapter.hold("k:1", RECALL, at())
    assert len(site.wms.calls) == 1


@pytest.mark.parametrize(
    ("unstamped", "moves", "units", "calls"),
    [(False, 0, (100, 5), 2), (False, 1, (60, 45), 4), (True, 0, (100, 5), 4), (True, 1, (60, 45), 6)],
)
async def test_stock_that_moves_between_two_pages_is_counted_once(
    site: Site, unstamped: bool, moves: int, units: tuple[int, int], calls: int
) -> None:
    site.wms.warehouse.put(A, "WH-2", 5)
    site.wms.faults.page, site.wms.faults.unstamped = 1, unstamped
    site.wms.faults.moving = [[A, "WH-1", "WH-2", 40]] * moves
    found = await site.adapter.locate([1])
    assert isinstance(found, Located)
    assert {each.location_id: each.quantity for each in found} == {10: D(units[0]), 11: D(units[1])}
    assert (found.unread, len(site.wms.calls)) == ((), calls)


async def test_a_report_that_never_holds_still_is_incomplete(site: Site) -> None:
    site.wms.warehouse.put(A, "WH-2", 5)
    line = {"product": "P-1", "number": "A", "quantity": {"amount": "2", "unit": "unit-of-use"}}
    insert = "INSERT INTO document VALUES (?,'order','open','WH-1',NULL,?)"
    for number in ("O-1", "O-2"):
        site.wms.warehouse.db.execute(insert, (number, json.dumps([line])))
    site.wms.faults.page, site.wms.faults.moving = 1, [[A, "WH-1", "WH-2", 1]] * 9
    found = await site.adapter.locate([1, 2])
    assert isinstance(found, Located)
    assert [(each.lot_id, each.location_id, each.reason) for each in found.unread] == [
        (1, None, MOVED),
        (2, None, MOVED),
    ]
    papers = await site.adapter.documents([1])
    assert isinstance(papers, Documents)
    assert ([each.number for each in papers], papers.unread) == (["O-1", "O-2"], ())
    assert len(site.wms.calls) == 6 + 4, "other stock moved, the documents are the same"
    assert site.reasons() == [MOVED]


async def test_a_line_cut_after_the_act_books_nothing_twice(site: Site) -> None:
    await site.adapter.hold("k:1", RECALL, at(quantity=50))
    site.wms.faults.drop_after = 2
    await site.adapter.dispose("d:1", Disposal("destroy", 1, 10, D(40)))
    assert site.wms.warehouse.there(A, "WH-1") == 60
    site.wms.faults.drop_after = 1
    await site.adapter.hold("k:2", RECALL, at(quantity=20))
    assert [row["key"] for row in site.wms.warehouse.rows("SELECT key FROM hold")] == ["k:1", "k:2"]
    site.wms.faults.drop_before = 1
    await site.adapter.release("k:2")


async def test_an_answer_that_comes_too_late_is_asked_for_again_and_acts_once(site: Site) -> None:
    site.wms.faults.seconds, site.wms.faults.slow = 0.4, 1
    impatient = site_of(site.wms, timeout_seconds=0.1)
    assert await impatient.adapter.hold("k:1", RECALL, at())
    assert len(site.wms.asked("/holds")) == 2
    assert len(site.wms.warehouse.rows("SELECT key FROM hold")) == 1
    await impatient.adapter.close()


async def test_a_wms_that_never_answers_is_given_up_in_time(site: Site) -> None:
    site.wms.faults.seconds, site.wms.faults.slow = 5, 99
    impatient = site_of(site.wms, timeout_seconds=0.1, give_up_seconds=0.3)
    started = asyncio.get_running_loop().time()
    with pytest.raises(InventoryError, match=r"no answer within 0\.1 s"):
        await impatient.adapter.hold("k:1", RECALL, at())
    assert asyncio.get_running_loop().time() - started < 1
    await impatient.adapter.close()


async def test_nobody_there(site: Site) -> None:
    gone = site_of(site.wms, base_url="http://127.0.0.1:9")
    with pytest.raises(InventoryError, match="cannot be reached"):
        await gone.adapter.locate([1])
    await gone.adapter.close()


async def test_garbled_answers_are_asked_for_again(site: Site) -> None:
    site.wms.faults.garbled, site.wms.faults.html = 1, 1
    assert len(await site.adapter.locate([1])) == 1
    site.wms.faults.html = 99
    with pytest.raises(InventoryError, match="not JSON"):
        await site.adapter.locate([1])


async def test_an_answer_without_bound_is_not_read(site: Site) -> None:
    site.wms.faults.huge = True
    with pytest.raises(InventoryError, match="larger than 200000 bytes"):
        await site.adapter.locate([1])
    site.wms.faults.huge, site.wms.faults.packed = False, True
    with pytest.raises(InventoryError, match="packed"):
        await site.adapter.locate([1])


async def test_redirects_take_neither_credential_nor_request_elsewhere(site: Site) -> None:
    site.wms.faults.redirect = "http://127.0.0.1:1/holds"
    with pytest.raises(InventoryError, match="redirects are not followed"):
        await site.adapter.hold("k:1", RECALL, at())
    assert len(site.wms.calls) == 1


async def test_answers_for_other_keys_and_repeated_rows_change_nothing(site: Site) -> None:
    site.wms.faults.foreign = site.wms.faults.repeated = True
    (answer,) = await site.adapter.hold_many(RECALL, [HoldAsked("k:1", at())])
    assert answer.confirmation == Confirmation("k:1", D(5), "wms: shift lead")
    assert set(site.reasons()) == {"an answer for a hold that was not asked"}


async def test_an_answer_about_another_lot_is_no_confirmation(site: Site) -> None:
    site.wms.faults.swapped = True
    with pytest.raises(InventoryError, match="another lot or place"):
        await site.adapter.hold("k:1", RECALL, at())


async def test_more_than_was_asked_counts_as_what_was_asked(site: Site) -> None:
    site.wms.faults.excess = True
    (answer,) = await site.adapter.hold_many(RECALL, [HoldAsked("k:1", at())])
    assert answer.confirmation == Confirmation("k:1", D(5), "wms: shift lead")
    assert await site.adapter.confirm("k:1") == Confirmation("k:1", D(5), "wms: shift lead")
    assert site.reasons() == ["says that 99999 units are held where fewer were asked"] * 2


async def test_silence_about_a_hold_is_no_confirmation(site: Site) -> None:
    site.wms.faults.silent_keys = {"k:1"}
    for ask in (site.adapter.hold("k:1", RECALL, at()), site.adapter.confirm("k:1"), site.adapter.release("k:1")):
        with pytest.raises(InventoryError, match="no answer for this hold"):
            await ask


@pytest.mark.parametrize("seed", range(3))
async def test_under_random_faults_every_hold_is_confirmed_once_and_truly_there(site: Site, seed: int) -> None:
    site.wms.faults.chaos = random.Random(seed)  # noqa: S311
    asked = [HoldAsked(f"k:{n}", at(quantity=1 + n % 3)) for n in range(40)]
    open_holds = {each.key: each for each in asked}
    for _ in range(60):
        answers = await site.adapter.hold_many(RECALL, list(open_holds.values()))
        for each in answers:
            if each.confirmation is not None:
                assert each.confirmation.quantity == open_holds.pop(each.key).position.quantity
        if not open_holds:
            break
        site.wms.warehouse.settle()
    assert open_holds == {}
    held = site.wms.warehouse.rows("SELECT key, held, status FROM hold")
    assert {(row["key"], D(row["held"]), row["status"]) for row in held} == {
        (each.key, each.position.quantity, "held") for each in asked
    }


@dataclass
class Plan:
    """What two recalls want of one lot at one place, and what they have been told was done."""

    there: Decimal = Decimal(100)
    claims: dict[str, Decimal] = field(default_factory=dict)

    def locked(self) -> Decimal:
        by_recall: dict[str, Decimal] = {}
        for key, held in self.claims.items():
            recall = key.partition(":")[0]
            by_recall[recall] = by_recall.get(recall, D(0)) + held
        return max(by_recall.values(), default=D(0))


async def until_done(act: Callable[[], Awaitable[bool]], site: Site) -> None:
    """As a saga does: the same call again until it is known to have been done."""
    for _ in range(60):
        with suppress(InventoryError):
            if await act():
                return
        site.wms.warehouse.settle()
    raise AssertionError("never done")


@pytest.mark.parametrize("seed", range(4))
async def test_two_recalls_on_one_lot_under_random_faults_lock_what_the_larger_claims(site: Site, seed: int) -> None:
    chance, plan = random.Random(seed), Plan()  # noqa: S311
    site.wms.faults.chaos = random.Random(100 + seed)  # noqa: S311
    for turn in range(25):
        recall = chance.choice([RECALL, OTHER])
        mine = [key for key in plan.claims if key.startswith(recall) and plan.claims[key]]
        what = chance.choice(["hold", "hold", "release", "dispose"]) if mine else "hold"
        if what == "hold":
            key, quantity = f"{recall}:hold:{turn}", D(chance.randint(1, 9))

            async def hold(key: str = key, recall: str = recall, quantity: Decimal = quantity) -> bool:
                (answer,) = await site.adapter.hold_many(recall, [HoldAsked(key, at(quantity=quantity))])
                return answer.confirmation is not None

            await until_done(hold, site)
            plan.claims[key] = quantity
            continue
        key = chance.choice(mine)
        taken = min(D(chance.randint(1, 9)), plan.claims[key])
        if what == "dispose":

            async def dispose(turn: int = turn, taken: Decimal = taken) -> bool:
                return bool(await site.adapter.dispose(f"d:{turn}", Disposal("destroy", 1, 10, taken)))

            await until_done(dispose, site)
            plan.there -= taken
        left = plan.claims[key] - taken

        async def release(key: str = key, left: Decimal = left) -> bool:
            await site.adapter.release(key, left)
            return True

        await until_done(release, site)
        plan.claims[key] = left
        stock = site.wms.warehouse
        assert stock.there(A, "WH-1") == plan.there
        assert stock.locked(A, "WH-1") == plan.locked()
