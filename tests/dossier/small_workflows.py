"""Workflows that make histories of the shapes a recall's have: continued as new, with a child that outlives them."""

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy


@workflow.defn
class Leaf:
    """Ends at once."""

    @workflow.run
    async def run(self, word: str) -> str:
        return word


@workflow.defn
class Stem:
    """Starts one child and goes on as a new run, once."""

    @workflow.run
    async def run(self, child_id: str) -> str:
        if child_id:
            await workflow.start_child_workflow(
                Leaf.run, "child", id=child_id, parent_close_policy=ParentClosePolicy.ABANDON
            )
            workflow.continue_as_new("")
        return "end"
