"""The whole process under random sequences of decisions, amendments, replies, disposals and feeds.

After every step stock, claims, mass balance, audit chain, consignees, cases and tasks must agree with the tables'
own rules and with what the test did. `RECALL_LONG=<seconds>` walks on with further seeds (from `RECALL_SEED`, 1000);
a failure names its seed and the shortest steps that still fail.
"""

import os
import sys
import time
from functools import partial

import pytest

from tests.process.desk import Bench
from tests.process.machine import ProcessMachine
from tests.process.walk import REPLAYED_STEPS, walk

pytestmark = pytest.mark.db
FIRST_SEED, FEWEST, MOST, STEPS = 51, 3, 24, 60
"""Seeds from the first on, until their walks between them have carried out everything in `MUST_HAPPEN`."""
GUARD_S = 60 + (MOST * STEPS + REPLAYED_STEPS) // 2
"""Half a second for each step that may be taken: a hang ends the test, a loaded machine does not."""
LONG_STEPS = 80
LONG = int(os.environ.get("RECALL_LONG", "0"))
MUST_HAPPEN = (
    "start", "rejected", "cancelled", "expand", "reduce", "tell", "hold", "reply", "settle query", "return", "propose",
    "approve", "withdraw", "execute destroy", "execute release", "execute rework", "execute return_to_us",
    "execute return_to_factory", "execute field_correction", "retain", "ship allocation", "import", "accept task",
)  # fmt: skip
"""A test whose every operation is refused would pass; these have to be carried out somewhere in the walks."""


def _report(bench: Bench) -> str:
    steps = sum(bench.done.values()) + sum(bench.refused.values())
    done, refused = dict(bench.done.most_common()), dict(bench.refused.most_common())
    return f"{bench.examples} walks, {steps} operations\ndone: {done}\nrefused: {refused}\n"


@pytest.mark.timeout(GUARD_S)
def test_nothing_people_or_feeds_do_breaks_stock_claims_balance_audit_or_consignees(bench: Bench) -> None:
    for turn in range(MOST):
        walk(partial(ProcessMachine, bench), ProcessMachine, FIRST_SEED + turn, STEPS)
        if turn + 1 >= FEWEST and all(bench.done[name] for name in MUST_HAPPEN):
            break
    assert [name for name in MUST_HAPPEN if not bench.done[name]] == [], _report(bench)


@pytest.mark.timeout(LONG + 300)
@pytest.mark.skipif(not LONG, reason="set RECALL_LONG to the seconds to walk")
def test_long_walks(bench: Bench) -> None:
    seed, end = int(os.environ.get("RECALL_SEED", "1000")), time.monotonic() + LONG
    try:
        while time.monotonic() < end:
            walk(partial(ProcessMachine, bench), ProcessMachine, seed, LONG_STEPS)
            seed += 1
    finally:
        sys.stderr.write(f"last seed {seed}; {_report(bench)}")
