"""What the operator sees: single lines with the time of day."""

import sys
from contextlib import suppress
from datetime import datetime


def say(line: str) -> None:
    """One line for the operator, with the time of day; a closed terminal or pipe never stops the stack."""
    print_line(f"{datetime.now().astimezone():%H:%M:%S} {line}")


def print_line(text: str) -> None:
    """Text for the operator, whether or not anybody still reads."""
    with suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
