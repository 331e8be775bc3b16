"""The API's way to Temporal: one lazy client, and one place where its failures become problems.

The client is made at first use and connects by itself whenever the server is there, so the API starts
and serves records while Temporal is down. Every call carries a timeout below that of the HTTP request.
"""

from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from api.problems import Problem
from plugin import recall_plugin

START_TIMEOUT: Final = timedelta(seconds=8)
ACCEPT_TIMEOUT: Final = timedelta(seconds=12)
RESULT_TIMEOUT: Final = timedelta(seconds=15)
QUERY_TIMEOUT: Final = timedelta(seconds=5)

_UNREACHABLE: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)


class TemporalGateway:
    """Holds the client of this process; tests hand in theirs."""

    def __init__(self, client: Client | None = None) -> None:
        self._client = client

    async def client(self) -> Client:
        """The lazy client, configured by `temporalio.envconfig` (TEMPORAL_ADDRESS, TLS, API key, profile)."""
        if self._client is None:
            config = dict(ClientConfig.load_client_connect_config())
            config.setdefault("target_host", "localhost:7233")
            self._client = await Client.connect(**config, lazy=True, plugins=[recall_plugin()])  # type: ignore[arg-type]
        return self._client

    async def healthy(self, within: timedelta = timedelta(seconds=2)) -> bool:
        """Whether the server answers its health check now."""
        try:
            client = await self.client()
            return await client.service_client.check_health(timeout=within)
        except (RPCError, RuntimeError):
            return False


def is_unreachable(error: Exception) -> bool:
    """Whether the call may succeed later, as it is (a lazy client that cannot connect raises RuntimeError).

    A server that has just been started does not know its own namespaces for a moment.
    """
    if isinstance(error, RPCError):
        return error.status in _UNREACHABLE or _lacks_namespace(error)
    return isinstance(error, RuntimeError)


def is_gone(error: RPCError) -> bool:
    """Whether there is no such workflow, run or update; not so while the server does not know the whole namespace."""
    return error.status == RPCStatusCode.NOT_FOUND and not _lacks_namespace(error)


def _lacks_namespace(error: RPCError) -> bool:
    return any(each.type_url.endswith(".NamespaceNotFoundFailure") for each in error.grpc_status.details)


def unavailable(detail: str) -> Problem:
    """503 with the one thing to do: repeat with the same key."""
    return Problem(
        "temporal_unavailable",
        f"{detail} Repeat the request with the same Idempotency-Key.",
        headers={"Retry-After": "5"},
    )


__all__ = [
    "ACCEPT_TIMEOUT",
    "QUERY_TIMEOUT",
    "RESULT_TIMEOUT",
    "START_TIMEOUT",
    "TemporalGateway",
    "is_gone",
    "is_unreachable",
    "unavailable",
]
