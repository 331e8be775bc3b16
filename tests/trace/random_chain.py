"""Random supply chains: merges, splits, loops, partial receipts, returns, lost lots, counts that do not fit."""

import random
from datetime import timedelta
from decimal import Decimal

from tests.support.chain import START, Chain

CUSTODY = ["own", "own", "logistics", "customer", "customer", "customer"]
KINDS = {
    "own": ["warehouse", "manufacturer"],
    "logistics": ["logistics"],
    "customer": ["hospital", "distributor", "supplier"],
}


def random_chain(seed: int, base: int) -> Chain:
    """A chain of a few products, up to 14 lots and up to 60 movements; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - a seed, not a secret
    chain = Chain(base)
    places: list[int] = []
    for _ in range(rng.randint(3, 9)):
        custody = rng.choice(CUSTODY)
        same = [p for p in places if chain.places[p].custody == custody]
        partner = rng.choice(same) if same and rng.random() < 0.3 else None
        country = rng.choice(["US", "CN", "DE", None])
        places.append(chain.place(custody, rng.choice(KINDS[custody]), partner=partner, country=country))
    products = [chain.product() for _ in range(rng.randint(1, 3))]
    lots = [
        chain.lot(
            rng.choice(products),
            site=rng.choice([None, *places]),
            made=Decimal(rng.randint(1, 60)) if rng.random() < 0.4 else None,
            made_on=START.date() + timedelta(days=rng.randint(0, 300)) if rng.random() < 0.4 else None,
        )
        for _ in range(rng.randint(1, 14))
    ]
    for _ in range(rng.randint(0, 2 * len(lots))):
        chain.step(rng.choice(lots), rng.choice(lots), rng.randint(1, 20))  # loops and self loops included
    for _ in range(rng.randint(0, 60)):
        _random_move(chain, rng, places, lots, products)
    for _ in range(rng.randint(0, 6)):
        on_hand = rng.randint(0, 40)
        chain.count(rng.choice(lots), rng.choice(places), on_hand, rng.randint(0, on_hand), rng.randint(0, 400))
    return chain


def _random_move(chain: Chain, rng: random.Random, places: list[int], lots: list[int], products: list[int]) -> None:
    kind = rng.choice(
        ["shipment"] * 5 + ["receipt"] * 4 + ["return"] * 2 + ["consumption", "destruction", "adjustment"]
    )
    lot = rng.choice(lots) if rng.random() < 0.93 else None
    source, target = rng.choice([None, *places]), rng.choice([None, *places])
    if source is None and target is None:
        target = rng.choice(places)
    quantity = rng.randint(1, 20)
    if kind == "adjustment" and rng.random() < 0.5:
        quantity = -quantity
    chain.move(
        kind,
        lot,
        quantity,
        source,
        target,
        day=rng.randint(0, 400),
        document=rng.choice([None, *(f"D{n}" for n in range(5))]),
        delivered=kind == "shipment" and rng.random() < 0.4,
        **({} if lot else {"product": rng.choice(products)}),
    )
