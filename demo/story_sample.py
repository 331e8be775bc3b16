"""The story on the sample chain, where the USAID file is not at hand: a raw-material lot turns out to be bad.

`recall sample-chain` writes the files; the alarm is the raw lot that most product lots were made from.
"""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from demo.cast import cast_roles
from demo.embedded import PROJECT, Embedded
from demo.sample import Chain, read_truth
from demo.story import ImportStep, Story, Wider, contacts_step, fresh_stock_step, late_stock_step, richest
from demo.truth import LotKey
from demo.waiting import DemoError

_MAPPINGS = PROJECT / "imports" / "mappings"
_KINDS = ("products", "partners", "genealogy", "movements", "stock")
_SIZE, _LATE_LOTS = 60, 3
_COLUMNS = ("Line", "Date", "Type", "Product", "Lot", "Site", "Supplier lot", "From", "To", "Quantity", "Unit",
            "Proof of delivery", "Document")  # fmt: skip


def sample_story(stack: Embedded, seed: int) -> Story:
    """Let the product write a chain, then read it back as plain files."""
    folder = stack.folder / "chain"
    stack.run("sample-chain", str(folder), "--seed", str(seed), "--size", str(_SIZE))
    chain = Chain(folder)
    start = chain.widest_raw_lot()
    truth = read_truth(chain, start, [])
    received = _owed(chain, truth.received, truth.lots)
    sister = _sister(chain, truth.lots)
    both = read_truth(chain, sister, [])
    wider = _owed(chain, both.received, both.lots - truth.lots)
    everybody = set(received) | set(wider)
    cast = cast_roles(sorted(everybody), seed, richest(received), reads_chinese=_chinese(chain, everybody))
    finished = sorted(lot for lot in truth.lots if lot not in chain.made_of)
    late = late_stock_step([(lot, chain.products[lot[0]]["Unit"]) for lot in finished[:_LATE_LOTS]], stack.folder, seed)
    product, number, site = start
    return Story(
        folder=stack.folder,
        seed=seed,
        title=f"{chain.products[product]['Name']}, lot {number}: out of specification",
        about=f"sample chain with seed {seed}: lot {number} of {product} went into {len(truth.lots) - 1} lots for"
        f" {len(received)} consignees",
        scope={"lots": [{"product_code": product, "number": number, "site_code": site}]},
        cast=cast,
        received=received,
        product_names={code: row["Name"] for code, row in chain.products.items()},
        imports=(
            *(ImportStep(kind, folder / f"{kind}.csv", _MAPPINGS / f"sample_{kind}.yaml") for kind in _KINDS),
            contacts_step(cast, stack.folder),
        ),
        late_stock=late,
        checker_arguments=["--chain", str(folder), "--start", product, number, site, "--stock", str(late.file)],
        wider=Wider(
            {"lots": [{"product_code": sister[0], "number": sister[1], "site_code": sister[2]}]},
            wider,
            ["--start", *sister],
        ),
        end_compared=False,
        arrivals=_arrivals(chain, truth.lots | both.lots, stack.folder),
        fresh_stock=[fresh_stock_step(_distributed(chain, received, wider), stack.folder)],
    )


def _arrivals(chain: Chain, lots: set[LotKey], folder: Path) -> list[ImportStep]:
    """Receipts of what was shipped and not received when the alarm came."""
    open_now: defaultdict[tuple[LotKey, str, str, str], Decimal] = defaultdict(Decimal)
    senders: dict[tuple[LotKey, str, str], str] = {}
    for row in chain.table("movements"):
        lot = (row["Product"], row["Lot"], row["Site"])
        document = (lot, row["To"], row["Document"])
        if lot not in lots or not row["To"]:
            continue
        if row["Type"] == "shipment" and row["Proof of delivery"] != "yes":
            senders[document] = row["From"]
            open_now[lot, row["From"], row["To"], row["Document"]] += chain.quantity(row)
        elif row["Type"] == "receipt" and document in senders:
            open_now[lot, senders[document], row["To"], row["Document"]] -= chain.quantity(row)
    path = folder / "arrivals.csv"
    late = [(key, units) for key, units in sorted(open_now.items()) if units > 0]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        for n, (((product, number, site), source, target, paper), units) in enumerate(late, start=1):
            line = [f"A{n:07}", now, "receipt", product, number, site, "", source, target]
            writer.writerow([*line, format(units.normalize(), "f"), chain.products[product]["Unit"], "no", paper])
    return [ImportStep("movements", path, _MAPPINGS / "sample_movements.yaml")] if late else []


def _sister(chain: Chain, taken: set[LotKey]) -> LotKey:
    """Another raw lot, the one with the fewest lots of its own that reached somebody: the scope grows by it."""
    made = {lot for lots in chain.made_of.values() for lot in lots}
    raw = sorted(set(chain.made_of) - made - taken)
    found = [(len(chain.forward(lot) - taken), lot) for lot in raw if _reaches_somebody(chain, lot, taken)]
    if not found:
        raise DemoError("the sample chain has no second raw lot; take another seed")
    return min(found)[1]


def _reaches_somebody(chain: Chain, lot: LotKey, taken: set[LotKey]) -> bool:
    truth = read_truth(chain, lot, [])
    return any(each not in taken for _, each in truth.received)


def _distributed(chain: Chain, *received: dict[str, dict[LotKey, Decimal]]) -> set[tuple[str, str]]:
    products = {lot[0] for each in received for lots in each.values() for lot in lots}
    return {(product, chain.products[product]["Unit"]) for product in products}


def _owed(
    chain: Chain, shipped: dict[tuple[str, LotKey], Decimal], lots: set[LotKey]
) -> dict[str, dict[LotKey, Decimal]]:
    """What each consignee has to account for: received less sent back."""
    back = chain.returned(lots)
    owed: defaultdict[str, dict[LotKey, Decimal]] = defaultdict(dict)
    for (place, lot), quantity in shipped.items():
        if lot not in lots:
            continue
        owed[place][lot] = quantity - back.get((place, lot), Decimal(0))
    return dict(owed)


def _chinese(chain: Chain, consignees: set[str]) -> frozenset[str]:
    return frozenset(code for code in consignees if chain.partners[code]["Language"].startswith("zh"))
