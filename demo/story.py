"""What every story has: a source, an alarm, people at the consignees, their own books, stock that turns up late."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo.cast import Cast, write_contacts
from demo.recipients import Books
from demo.stock_list import LATE_PLACES, write_fresh, write_stock
from demo.truth import LotKey

MAPPINGS = Path(__file__).parent / "mappings"


@dataclass(frozen=True)
class ImportStep:
    """One `recall import` to run."""

    kind: str
    file: Path
    mapping: Path


@dataclass(frozen=True)
class Wider:
    """Lots that join the scope later."""

    scope: Mapping[str, Any]
    """Criteria of the expansion."""
    received: Mapping[str, Mapping[LotKey, Decimal]]
    """Consignee -> lot -> what it has to account for."""
    checker_arguments: Sequence[str]
    """What tells the checker of it."""


@dataclass
class Story:
    """One telling; files lie in `folder`."""

    folder: Path
    seed: int
    title: str
    about: str
    scope: Mapping[str, Any]
    cast: Cast
    received: Mapping[str, Mapping[LotKey, Decimal]]
    """Consignee -> lot -> what it has to account for, in units of use."""
    product_names: Mapping[str, str]
    imports: Sequence[ImportStep]
    late_stock: ImportStep
    checker_arguments: Sequence[str]
    """How the checker finds the raw files."""
    wider: "Wider"
    """What the scope grows by while the recall runs."""
    fresh_stock: Sequence[ImportStep]
    """Unaffected lots, for sites left short."""
    arrivals: Sequence[ImportStep] = ()
    """What was under way arrives at last, before the goods are disposed of."""
    end_compared: bool = True
    """Whether the checker can count the end by itself: the chain's sites ship on among themselves, it cannot."""
    widened: bool = False
    """Whether the scope has grown by now: the sites' books then hold the further lots, too."""

    def books(self, partner: str) -> Books:
        """A site's own books; the named clinic knows what it got from the one that passed on."""
        passed = self._passed_on()
        if partner == self.cast.clinic.name:
            return Books({passed[0]: passed[1]}, self.product_names, Decimal("0.5"))
        mine = dict(self.received.get(partner, {}))
        if self.widened:
            mine |= self.wider.received.get(partner, {})
        share = Decimal(random.Random(f"{self.seed}/{partner}").randrange(30, 100)) / 100  # noqa: S311 - a story
        passes = passed if partner == self.cast.passing_on else None
        return Books(mine, self.product_names, share, passes)

    def _passed_on(self) -> tuple[LotKey, Decimal]:
        received = self.received[self.cast.passing_on]
        lot = max(sorted(received), key=lambda each: received[each])
        return lot, (received[lot] / 10).to_integral_value(rounding="ROUND_UP")


def richest(received: Mapping[str, Mapping[LotKey, Decimal]]) -> str:
    """The consignee that got most of one lot: it is the one that passes product on."""
    return max(sorted(received), key=lambda code: max(received[code].values()))


def contacts_step(cast: Cast, folder: Path) -> ImportStep:
    """The contact list of a cast, written."""
    path = folder / "contacts.csv"
    write_contacts(cast, path)
    return ImportStep("contacts", path, MAPPINGS / "contacts.yaml")


def late_stock_step(lots: Sequence[tuple[LotKey, str]], folder: Path, seed: int) -> ImportStep:
    """Stock that a logistics partner reports only after the recall has begun."""
    path = folder / "late-stock.csv"
    write_stock(path, lots, seed, LATE_PLACES)
    return ImportStep("stock", path, MAPPINGS / "stock.yaml")


def fresh_stock_step(products: Iterable[tuple[str, str]], folder: Path) -> ImportStep:
    """Unaffected lots that arrive for the sites left short."""
    path = folder / "fresh-stock.csv"
    write_fresh(path, products)
    return ImportStep("stock", path, MAPPINGS / "fresh-stock.yaml")
