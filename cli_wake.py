"""After an import: wake the recalls it concerns, so that late stock is held now and not at their next own look.

A lost signal costs only that time: the claim is committed with the import, and every hold watch reads the record.
"""

import asyncio
import sys
from datetime import timedelta

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from domain.workflow_ids import recall_id
from imports.cli import import_app, on_loaded
from imports.loader import Report
from plugin import recall_plugin

_TIMEOUT = timedelta(seconds=5)


async def wake_recalls(report: Report) -> None:
    """Signal `stock_appeared` to every running recall the batch touched; says so where it could not."""
    numbers = sorted({*report.late_stock, *report.retrace})
    if not numbers:
        return
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            client = await Client.connect(**ClientConfig.load_client_connect_config(), plugins=[recall_plugin()])
            for number in numbers:
                await client.get_workflow_handle(recall_id(number)).signal("stock_appeared", rpc_timeout=_TIMEOUT)
    except (RPCError, RuntimeError, TimeoutError):
        sys.stderr.write(f"Temporal did not take the news; {', '.join(numbers)} will look at their next turn\n")


on_loaded(wake_recalls)

__all__ = ["import_app", "wake_recalls"]
