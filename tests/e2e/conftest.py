"""Running stacks shared by the end-to-end tests, with the chain of every scenario on them.

`world` serves the tests whose killed part is back within seconds. A killed worker is missed only when its heartbeat
and its leases run out, about a minute later; those scenarios (`worker_kills`) begin with the session, each on a stack
of its own, and wait beside the other tests.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.e2e.chain import Group, group
from tests.e2e.killing import KILLED_PARTS, Killed, worker_scenarios
from tests.e2e.running import World, running_world
from tests.e2e.temporal import end_everything

_MANY = 100


def _groups() -> list[Group]:
    return [
        group("Whole", 50, 10, bouncing=3, chinese=3),
        group("Shared", 6, 2),
        group("Absent", 4, 0),
        group("Closing", 2, 0),
        *(group(f"Relaunch{how}", _MANY, 10) for how in ("Down", "Kill")),
        *(group(f"Kill{part.title()}", _MANY, 20) for part in KILLED_PARTS),
    ]


@pytest.fixture(scope="session", autouse=True)
def _worker_kills_begin(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Killed]]]:
    """Starts the slow scenarios, if one of the chosen tests asks for them."""
    wanted = any("worker_kills" in getattr(item, "fixturenames", ()) for item in request.session.items)
    scenarios = worker_scenarios(_MANY) if wanted else {}
    with ThreadPoolExecutor(max(1, len(scenarios))) as pool:
        yield {name: pool.submit(run) for name, run in scenarios.items()}


@pytest.fixture
def worker_kills(_worker_kills_begin: dict[str, Future[Killed]]) -> dict[str, Future[Killed]]:
    """Scenario -> its outcome, when it is there."""
    return _worker_kills_begin


@pytest.fixture(scope="session")
def world(_worker_kills_begin: object) -> Iterator[World]:
    """The stack of the tests whose killed part is back within seconds."""
    with running_world(_groups()) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _scenarios_end_with_their_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a module's recalls still have to do is not the next module's load."""
    yield
    module = request.path
    if any(item.path == module and "world" in getattr(item, "fixturenames", ()) for item in request.session.items):
        end_everything(request.getfixturevalue("world"))
