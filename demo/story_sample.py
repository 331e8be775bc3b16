"""The story on the sample chain, where the USAID file is not at hand: a raw-material lot turns out to be bad.

`recall sample-chain` writes the files; the alarm is the raw lot that most product lots were made from.
"""

from collections import defaultdict
from decimal import Decimal

from demo.cast import cast_roles
from demo.embedded import PROJECT, Embedded
from demo.sample import Chain, read_truth
from demo.story import ImportStep, Story, contacts_step, late_stock_step, richest
from demo.truth import LotKey

_MAPPINGS = PROJECT / "imports" / "mappings"
_KINDS = ("products", "partners", "genealogy", "movements", "stock")
_SIZE, _LATE_LOTS = 60, 3


def sample_story(stack: Embedded, seed: int) -> Story:
    """Let the product write a chain, then read it back as plain files."""
    folder = stack.folder / "chain"
    stack.run("sample-chain", str(folder), "--seed", str(seed), "--size", str(_SIZE))
    chain = Chain(folder)
    start = chain.widest_raw_lot()
    truth = read_truth(chain, start, [])
    received = _owed(chain, truth.received, truth.lots)
    cast = cast_roles(sorted(received), seed, richest(received), reads_chinese=_chinese(chain, set(received)))
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
    )


def _owed(
    chain: Chain, shipped: dict[tuple[str, LotKey], Decimal], lots: set[LotKey]
) -> dict[str, dict[LotKey, Decimal]]:
    """What each consignee has to account for: received less sent back."""
    back = chain.returned(lots)
    owed: defaultdict[str, dict[LotKey, Decimal]] = defaultdict(dict)
    for (place, lot), quantity in shipped.items():
        owed[place][lot] = quantity - back.get((place, lot), Decimal(0))
    return dict(owed)


def _chinese(chain: Chain, consignees: set[str]) -> frozenset[str]:
    return frozenset(code for code in consignees if chain.partners[code]["Language"].startswith("zh"))
