"""The story on real deliveries: every Uni-Gold HIV product that left one manufacturer (USAID delivery history)."""

import csv
import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import yaml

from demo.cast import Cast, cast_roles
from demo.embedded import PROJECT
from demo.stock_list import PLACES, write_stock
from demo.story import MAPPINGS, ImportStep, Story, Wider, contacts_step, fresh_stock_step, late_stock_step, richest
from demo.truth import LotKey
from demo.usaid import Delivery, deliveries
from demo.waiting import DemoError

MAPPING = PROJECT / "imports" / "mappings" / "usaid_movements.yaml"
BRAND, SITE = "Uni-Gold", "Trinity Biotech, Plc"
SISTER = "Capillus"
"""Brand of the same maker and site by which the scope grows."""
_STOCKED_LOTS, _LATE_LOTS = 24, 3


def usaid_story(file: Path, folder: Path, seed: int) -> Story:
    """Read the deliveries, write the lists that go with them.

    Raises:
        DemoError: the file cannot be read as the delivery history, or has no such deliveries.
    """
    rows, sister = _deliveries(file, BRAND), _deliveries(file, SISTER)
    received, wider = _by_consignee(rows), _by_consignee(sister)
    cast = cast_roles(sorted(received | wider), seed, richest(received))
    partners, stock = folder / "partners.csv", folder / "stock.csv"
    _write_partners(cast, partners)
    lots = sorted({(row.lot, "pack") for row in rows})
    chosen = random.Random(seed).sample(lots, min(_STOCKED_LOTS + _LATE_LOTS, len(lots)))  # noqa: S311 - a story
    write_stock(stock, chosen[_LATE_LOTS:], seed, PLACES)
    late = late_stock_step(chosen[:_LATE_LOTS], folder, seed)
    named = ["--file", str(file), "--brand", BRAND, "--site", SITE]
    return Story(
        folder=folder,
        seed=seed,
        title="Uni-Gold HIV tests: false negative results",
        about=f"{file.name}: {len(rows)} deliveries of {BRAND} from {SITE}, {len({row.lot[1] for row in rows})}"
        f" purchase orders, {len(received)} consignees",
        scope={"brands": [BRAND], "manufacturing_sites": [SITE]},
        cast=cast,
        received=received,
        product_names={row.lot[0]: row.lot[0] for row in [*rows, *sister]},
        imports=(
            ImportStep("partners", partners, MAPPINGS / "partners.yaml"),
            ImportStep("movements", file, MAPPING),
            contacts_step(cast, folder),
            ImportStep("stock", stock, MAPPINGS / "stock.yaml"),
        ),
        late_stock=late,
        checker_arguments=[*named, "--stock", str(stock), "--stock", str(late.file)],
        wider=Wider({"brands": [SISTER], "manufacturing_sites": [SITE]}, wider, ["--brand", SISTER]),
        fresh_stock=[fresh_stock_step({(row.lot[0], "pack") for row in [*rows, *sister]}, folder)],
    )


def _deliveries(file: Path, brand: str) -> list[Delivery]:
    try:
        rows = list(deliveries(file, brand, SITE))
    except (OSError, ValueError, KeyError) as error:
        raise DemoError(f"{file} cannot be read as the USAID delivery history: {error!r}") from None
    if not rows:
        raise DemoError(f"{file} has no deliveries of {brand} from {SITE}")
    return rows


def _by_consignee(rows: list[Delivery]) -> dict[str, dict[LotKey, Decimal]]:
    received: defaultdict[str, defaultdict[LotKey, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        received[row.consignee][row.lot] += row.quantity
    return {consignee: dict(lots) for consignee, lots in received.items()}


def _write_partners(cast: Cast, path: Path) -> None:
    """Consignees that read Chinese are on record before the deliveries, as a master list would have them."""
    maps = yaml.safe_load(MAPPING.read_text())["maps"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "name", "kind", "country", "language", "time_zone"])
        for code in sorted(cast.chinese):
            country, project = code.split(" / ")
            name = f"{country}, project {project}"
            row = [code, name, "distributor", maps["countries"][country], "zh-CN", maps["time_zones"][country]]
            writer.writerow(row)
