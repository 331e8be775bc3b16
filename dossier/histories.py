"""Temporal's histories of a recall: every run of every workflow that belongs to it, and what could not be had.

Runs are found three ways that must agree: by visibility (ids that begin with the recall's), by the record (campaigns,
cases, CAPAs) and by the histories themselves (children they started, runs they continued from and as).
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.workflow_ids import WorkflowIdError, campaign_id, capa_id, case_id, parse_workflow_id, recall_id

Rows = Sequence[Mapping[str, Any]]
_RPC: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Run:
    """One run's whole history."""

    workflow_id: str
    run_id: str
    events: list[dict[str, Any]]

    def document(self) -> bytes:
        """The history as Temporal's tools read it; keys sorted, so that the same history is the same bytes."""
        return (json.dumps({"events": self.events}, sort_keys=True, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Lost:
    """A run (or a workflow's newest run, when `run_id` is empty) that could not be had."""

    workflow_id: str
    run_id: str
    why: str


class TemporalUnavailable(Exception):  # noqa: N818
    """Temporal does not answer; one line."""


@dataclass
class Histories:
    """Fetches all runs of one recall."""

    client: Client
    number: str
    lost: list[Lost] = field(default_factory=list)
    _open: dict[tuple[str, str], None] = field(default_factory=dict)
    _met: set[tuple[str, str]] = field(default_factory=set)

    async def fetch(self, expected: Sequence[str]) -> AsyncIterator[Run]:
        """Every run, in order of discovery; `expected` are the workflow ids the record speaks of.

        Raises:
            TemporalUnavailable: the server cannot be reached or does not answer.
        """
        for workflow_id, run_id in sorted(await self._visible()):
            self._want(workflow_id, run_id)
        seen = {workflow_id for workflow_id, _ in self._open}
        for workflow_id in expected:
            if workflow_id not in seen:
                self._want(workflow_id, "")
        while self._open:
            workflow_id, run_id = key = next(iter(self._open))
            del self._open[key]
            run = await self._history(workflow_id, run_id)
            if run is not None and (run_id or (workflow_id, run.run_id) not in self._met):
                self._met.add((workflow_id, run.run_id))
                self._follow(run)
                yield run

    async def _visible(self) -> set[tuple[str, str]]:
        # An exact id and the ids below it: "recall:RC-2026-000001" also begins "recall:RC-2026-0000011".
        own = recall_id(self.number)
        found = set()
        try:
            query = f"WorkflowId = '{own}' OR WorkflowId STARTS_WITH '{own}:'"
            async for each in self.client.list_workflows(query, rpc_timeout=_RPC):
                found.add((each.id, each.run_id))
        except (RPCError, RuntimeError) as error:
            raise TemporalUnavailable(f"Temporal does not answer: {_line(error)}") from error
        return found

    async def _history(self, workflow_id: str, run_id: str) -> Run | None:
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id or None)
        try:
            if not run_id:
                run_id = (await handle.describe(rpc_timeout=_RPC)).run_id
                handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
            history = await handle.fetch_history(rpc_timeout=_RPC)
        except RPCError as error:
            lacks_all = any(each.type_url.endswith(".NamespaceNotFoundFailure") for each in error.grpc_status.details)
            if error.status is not RPCStatusCode.NOT_FOUND or lacks_all:
                raise TemporalUnavailable(f"Temporal does not answer: {_line(error)}") from error
            self.lost.append(Lost(workflow_id, run_id, "Temporal does not have it any more"))
            return None
        except RuntimeError as error:
            raise TemporalUnavailable(f"Temporal does not answer: {_line(error)}") from error
        return Run(workflow_id, run_id, json.loads(history.to_json())["events"])

    def _follow(self, run: Run) -> None:
        """Ask for the runs this one speaks of."""
        start = run.events[0].get("workflowExecutionStartedEventAttributes", {})
        after = run.events[-1].get("workflowExecutionContinuedAsNewEventAttributes", {})
        for other in (start.get("continuedExecutionRunId"), after.get("newExecutionRunId")):
            if other:
                self._want(run.workflow_id, other)
        for event in run.events:
            child = event.get("childWorkflowExecutionStartedEventAttributes", {}).get("workflowExecution")
            if child and self._ours(child["workflowId"]):
                self._want(child["workflowId"], child["runId"])

    def _ours(self, workflow_id: str) -> bool:
        try:
            return parse_workflow_id(workflow_id).recall_no == self.number
        except WorkflowIdError:
            return False

    def _want(self, workflow_id: str, run_id: str) -> None:
        key = (workflow_id, run_id)
        if key not in self._met:
            self._open[key] = None
            if run_id:
                self._met.add(key)


def expected_workflows(number: str, campaigns: Rows, cases: Rows, capas: Rows) -> list[str]:
    """Workflow ids that the record says were started; children of these are found in their histories."""
    ids = [recall_id(number)]
    ids += [campaign_id(number, row["sequence"]) for row in campaigns]
    ids += [case_id(number, str(row["consignee_id"])) for row in cases if row["workflow_started_at"] is not None]
    ids += [capa_id(number, row["sequence"]) for row in capas]
    return sorted(set(ids))


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


__all__ = ["Histories", "Lost", "Run", "TemporalUnavailable", "expected_workflows"]
