"""A workflow under a recall's id that starts a CAPA as the recall does; in a file of its own for the sandbox."""

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from domain.workflow_ids import capa_id
    from models.messages import CapaInput, CapaReport


@workflow.defn(name="ParentOfCapa")
class Parent:
    """Starts a CAPA as a recall does, keeps what it hears, and ends as it is told."""

    def __init__(self) -> None:
        self.heard: list[CapaReport] = []
        self.told: str | None = None

    @workflow.run
    async def run(self, number: str, first: bool) -> str:
        if first:
            await workflow.start_child_workflow(
                "CapaWorkflow",
                CapaInput(number=number, sequence=1, title="Cracks", created_at=workflow.now()),
                id=capa_id(number, 1),
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
        await workflow.wait_condition(lambda: self.told is not None)
        if self.told == "continue":
            workflow.continue_as_new(args=[number, False])
        return "completed"

    @workflow.signal
    def capa_progress(self, report: CapaReport) -> None:
        self.heard.append(report)

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told = what

    @workflow.query
    def reports(self) -> list[CapaReport]:
        return self.heard
