"""What must be true inside a Temporal namespace before we use it: retention and search attributes.

Search attributes are added through the OperatorService at every start, because the dev server ignores
its own flags on an existing file. Retention is set only on the embedded server (its default is 24 h; a
recall's history must outlive the recall).
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from stack.errors import StackError

RETENTION = timedelta(days=3650)
_T = TypeVar("_T")


def configured_address() -> str | None:
    """Address of a real Temporal server, from `TEMPORAL_ADDRESS` or a `temporal.toml` profile."""
    return ClientConfig.load_client_connect_config().get("target_host")


def configured_namespace() -> str:
    """Namespace from `TEMPORAL_NAMESPACE` or the profile."""
    return ClientConfig.load_client_connect_config().get("namespace") or "default"


async def connect(address: str, namespace: str) -> Client:
    """Client with the operator's TLS and key settings, whatever the address."""
    config = ClientConfig.load_client_connect_config()
    config["target_host"], config["namespace"] = address, namespace
    return await Client.connect(**config)


def run_briefly(work: Coroutine[Any, Any, _T], timeout_s: float = 60) -> _T:
    """Run one short Temporal call from synchronous code.

    Raises:
        StackError: unreachable, refused or too slow; the text says which.
    """
    try:
        return asyncio.run(asyncio.wait_for(work, timeout_s))
    except TimeoutError:
        raise StackError(f"Temporal did not answer within {timeout_s:.0f} s") from None
    except (RPCError, RuntimeError) as error:
        raise StackError(f"Temporal refused: {str(error).splitlines()[0]}") from None


async def add_search_attributes(client: Client, wanted: Sequence[SearchAttributeKey[Any]]) -> list[str]:
    """Add what is missing; returns the names added. Safe to repeat and to race.

    Raises:
        StackError: a name exists with another type.
    """
    known = (
        await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    ).custom_attributes
    for key in wanted:
        if key.name in known and known[key.name] != int(key.indexed_value_type):
            raise StackError(f"Temporal's search attribute {key.name} exists with another type")
    missing = {key.name: int(key.indexed_value_type) for key in wanted if key.name not in known}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)  # type: ignore[arg-type]
        )
    return sorted(missing)


def ensure_search_attributes(address: str, namespace: str) -> list[str]:
    """Bring a namespace to the product's list of search attributes; returns the names added."""
    from workflows.search_attributes import ALL  # noqa: PLC0415 - the product's list, loaded on use

    async def ensure() -> list[str]:
        return await add_search_attributes(await connect(address, namespace), ALL)

    return run_briefly(ensure())


def ensure_retention(address: str, namespace: str) -> None:
    """Keep closed workflows for ten years on the embedded server."""

    async def ensure() -> None:
        client = await connect(address, namespace)
        ttl = Duration()
        ttl.FromTimedelta(RETENTION)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=namespace, config=NamespaceConfig(workflow_execution_retention_ttl=ttl))
        )

    run_briefly(ensure())


def is_serving(address: str, namespace: str) -> bool:
    """Whether the namespace answers; a new server has it a moment after its port is open."""

    async def ask() -> bool:
        client = await connect(address, namespace)
        # The raw call: unlike the client's own methods it does not retry for seconds by itself.
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
        return True

    try:
        return run_briefly(ask(), timeout_s=5)
    except StackError:
        return False


def is_polled_by(address_and_namespace: str, queue: str, pid: int) -> bool:
    """Whether the process `pid` has polled a workflow task queue lately (the server's own view)."""
    address, _, namespace = address_and_namespace.partition("/")

    async def ask() -> bool:
        client = await connect(address, namespace)
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
        return any(poller.identity.startswith(f"{pid}@") for poller in answer.pollers)

    try:
        return run_briefly(ask(), timeout_s=5)
    except StackError:
        return False
