"""Stands where the recall's workflow stands; in a module of its own because the sandbox loads it again."""

from temporalio import workflow

from models.messages import CampaignReport


@workflow.defn
class RecallListener:
    """Stands where the recall's workflow stands and keeps the reports."""

    def __init__(self) -> None:
        self._reports: list[CampaignReport] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def campaign_progress(self, report: CampaignReport) -> None:
        self._reports.append(report)

    @workflow.query
    def reports(self) -> list[CampaignReport]:
        return self._reports
