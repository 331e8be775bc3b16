"""A chaos run with everything around it: the providers, the stack and its chain."""

from pathlib import Path

from tests.chaos.providers import providers
from tests.chaos.run import Outcome, Plan, run
from tests.e2e.chain import group
from tests.e2e.running import running_world
from tests.e2e.sinks import Sinks
from tests.support.stack import free_port_base

_BY_TEXT = 0.15


def play(folder: Path, plan: Plan, *, consignees: int, lose: float) -> Outcome:
    """Run `plan` on a stack of its own with so many consignees.

    Raises:
        AssertionError: something was lost (see `run`).
    """
    texts = int(consignees * _BY_TEXT)
    ports, provider_ports = free_port_base(), free_port_base(3)
    api_port = ports + 3
    with providers(folder, provider_ports, api_port, seed=plan.seed, lose=lose) as outside:
        chain = [group(plan.brand, consignees - texts, texts)]
        sinks = Sinks(outside.inbox_url, outside.sms_url)
        environment = outside.environment | {"RECALL_PUBLIC_URL": f"http://127.0.0.1:{api_port}"}
        with running_world(chain, port_base=ports, env=environment, sinks=sinks) as world:
            return run(world, outside, plan)
