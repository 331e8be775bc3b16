"""`make chaos`: a campaign under random failures on a real stack; exit code 0 only if nothing was lost."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.play import play
from tests.chaos.report import report_of
from tests.chaos.run import Plan

_AMONG_REMINDERS = 0.3
_FLOWING_WITHIN_S = 45.0
"""A worker's batches are given to the next one when half a minute has passed without a heartbeat."""


def main() -> int:
    """Play one run and print its report."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--consignees", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261122, help="same seed, same choice of victims and answers")
    parser.add_argument("--reminder-after", type=float, default=900.0, help="real seconds that stand for 24 hours")
    parser.add_argument("--lose", type=float, default=0.01, help="share of acceptances the product never hears of")
    parser.add_argument("--report", type=Path, help="also write the report to this file")
    options = parser.parse_args()
    if options.consignees < 20 or options.kills < 1 or not 0 <= options.lose < 1 or options.reminder_after <= 0:
        parser.error("expected at least 20 consignees, at least one kill, 0 <= lose < 1 and a reminder time above 0")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit ends what was started, a bare SIGTERM does not
    # The first notices are out and every kill among them is over before the first reminder is due, and the reminders
    # before the ladder's next step: what is due when must not depend on how busy the machine is.
    plan = Plan(
        "Chaos",
        options.kills,
        options.seed,
        options.reminder_after,
        among_reminders=_AMONG_REMINDERS,
        gap_s=(0.1, 2.0),
        flowing_within_s=_FLOWING_WITHIN_S,
    )
    with tempfile.TemporaryDirectory(prefix="recall-chaos-") as folder:
        try:
            outcome = play(Path(folder), plan, consignees=options.consignees, lose=options.lose)
        except AssertionError as error:
            print(f"FAILED: {error}", file=sys.stderr)  # noqa: T201
            return 1
    report = report_of(outcome)
    print(report)  # noqa: T201
    if options.report is not None:
        options.report.write_text(report, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
