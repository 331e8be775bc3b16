"""How long the documents of a big recall take: 10,000 consignees, draft and every form. Pure work, no database.

python -m bench.documents [consignees]
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from documents.html import as_html
from documents.pdf import as_pdf
from domain.documents.kinds import KINDS, as_json, draft
from tests.documents.factories import rich


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Run it and print the seconds and, for bytes, their size."""
    begun = time.perf_counter()
    found = work()
    size = f"{len(found) / 1e6:8.2f} MB" if isinstance(found, bytes) else ""
    print(f"{what:<28}{time.perf_counter() - begun:8.2f} s {size}")
    return found


def main() -> None:
    """Print the figures."""
    consignees = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    record = timed(f"record of {consignees} consignees", lambda: rich(consignees=consignees))
    found = timed("draft of the 806 report", lambda: draft(KINDS["us_806_report"], record))
    for name, form in (("JSON", as_json), ("HTML", as_html), ("PDF", as_pdf)):
        timed(f"as {name}", partial(form, found))


if __name__ == "__main__":
    main()
