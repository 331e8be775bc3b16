"""Run the reference WMS alone: `python -m tests.wms --port 9300 --database wms.sqlite`; its token is printed.

`POST /-/stock` puts stock there, `POST /-/faults` says what goes wrong (the names of `tests.wms.server.Faults`).
"""

import argparse
import asyncio
import sys

from tests.wms.server import TOKEN, Wms, running
from tests.wms.stock import Warehouse


async def serve(port: int, database: str) -> None:
    async with running(Wms(Warehouse(database)), port) as wms:
        sys.stdout.write(f"{wms.url} token {TOKEN}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A reference WMS of docs/inventory-api.yaml.")
    parser.add_argument("--port", type=int, default=9300)
    parser.add_argument("--database", default=":memory:")
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.database))
