"""`make demo`: a whole recall on real servers, played and checked from outside. Exit code 0 only if all agrees.

DATA=file   a delivery history in the layout of the USAID file; without one, and without the file at its usual place,
            the sample chain is played
DEMO_KEEP=1 leave everything running at the end, until Ctrl-C
"""

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType

from demo.embedded import PROJECT, Embedded
from demo.play import Play
from demo.story import Story
from demo.story_sample import sample_story
from demo.story_usaid import usaid_story
from demo.waiting import Deadline, DemoError

USAID = PROJECT.parent / "shared" / "data" / "supply_chain" / "scms_delivery_history.csv.gz"
_LIMIT_S = 900.0


def story_for(stack: Embedded, seed: int, *, sample: bool) -> Story:
    """The USAID deliveries where they are at hand, else the sample chain.

    Raises:
        DemoError: DATA names a file that is not there.
    """
    given = os.environ.get("DATA")
    path = Path(given).resolve() if given else USAID
    if path.exists() and not sample:
        return usaid_story(path, stack.folder, seed)
    if given and not sample:
        raise DemoError(f"DATA={given}: there is no such file")
    print("playing on the sample chain" + ("" if sample else f": {USAID} is not there"), flush=True)
    return sample_story(stack, seed)


def main() -> int:
    """Run the demonstration and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=20261121, help="same seed, same people and answers")
    parser.add_argument("--sample", action="store_true", help="play on the sample chain even if real data is there")
    options = parser.parse_args()
    stack = Embedded()
    _interrupt_on_signals()
    code = 1
    try:
        code = _play(stack, options.seed, sample=options.sample)
    except DemoError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped by hand", file=sys.stderr)
        code = 130
    except Exception:  # noqa: BLE001 - whatever went wrong, the stack must be stopped
        print(f"\nThe demonstration failed:\n{traceback.format_exc()}", file=sys.stderr)
    if code == 1 and stack.process is not None:
        print(f"\nLast lines of the parts:\n{stack.tails()}", file=sys.stderr)
    return _end(stack, code)


def _play(stack: Embedded, seed: int, *, sample: bool) -> int:
    deadline = Deadline(_LIMIT_S)
    began = time.monotonic()
    print(f"starting PostgreSQL, Temporal, API, worker, mail catcher and Twilio stand-in in {stack.folder}", flush=True)
    story = story_for(stack, seed, sample=sample)
    stack.start(deadline)
    print(f"everything is up after {time.monotonic() - began:.1f} s", flush=True)
    code = Play(stack, story, deadline).run()
    if os.environ.get("DEMO_KEEP") == "1":
        print("\nDEMO_KEEP=1: everything keeps running; Ctrl-C stops it", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return code


def _end(stack: Embedded, code: int) -> int:
    _ignore_signals()
    complaint = stack.stop()
    if complaint:
        print(complaint, file=sys.stderr)
        code = code or 1
    if stack.process is None:
        stack.remove()
    elif code == 0:
        stack.remove()
        print("stopped, nothing is left running; the demonstration succeeded", flush=True)
    else:
        print(f"files and logs are kept in {stack.folder}", file=sys.stderr)
    return code


def _interrupt_on_signals() -> None:
    """The first Ctrl-C or SIGTERM ends the demonstration in order; a further one must not cut that short."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    raise SystemExit(main())
