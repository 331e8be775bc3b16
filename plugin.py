"""What every Temporal client, worker, replayer and test shares: Pydantic payloads and the workflow sandbox."""

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

_PASSED_THROUGH = ("models", "domain", "workflows", "activities", "adapters", "db", "sqlmodel", "sqlalchemy")


def recall_plugin() -> SimplePlugin:
    """Plugin that `Client.connect(plugins=[...])` hands on to its workers; never pass it twice."""
    return SimplePlugin("recall", data_converter=pydantic_data_converter)


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox, with our modules loaded once instead of once per run (re-import trips the deadlock detector)."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))
