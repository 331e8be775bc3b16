"""What staff does beside the consignees: complaints of harm and the tasks on everybody's desk."""

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.complaints import ComplaintActivities
from db.repositories import (
    complaint_followup,
    complaints,
    task_actions,
)
from db.repositories.task_actions import Doer
from domain.roles import Role
from models.harm import HarmReport, HarmStated
from tests.process.consignee_work import ConsigneeWork
from tests.process.desk import Refused
from tests.process.model import Case, Consignee
from tests.process.parts import POLICIES


class StaffWork(ConsigneeWork):
    """Complaints and tasks."""

    # ------------------------------------------------------------------ harm

    def complain(self, case: Case, consignee: Consignee | None) -> None:
        """Staff records a report of harm."""

        async def work(session: AsyncSession) -> Any:
            report = HarmReport(
                number=case.number, harm=HarmStated(description="somebody fell ill"), source="staff",
                awareness_at=self.desk.now, at=self.desk.now, recorded_by="Quinn", role="qa",
                consignee_id=consignee.id if consignee else None, form_id=f"harm-{self.desk.hours:06d}",
            )  # fmt: skip
            return await complaints.record(session, report)

        if not isinstance(self.desk.in_transaction("complaint", work, case.number), Refused):
            case.complaints += 1

    def take_up(self, case: Case) -> None:
        """The recall hears of its complaints."""
        activity = ComplaintActivities(self.desk.bench.sessions, POLICIES).take_up_complaints
        self.activity("take up complaints", case, activity, lambda: self.ref(case))

    def close_complaint(self, case: Case, sequence: int) -> Any:
        """Quality signs what came of it."""

        async def work(session: AsyncSession) -> Any:
            return await complaint_followup.close(
                session, case.number, sequence, outcome="no link", by="Quinn", role="qa", at=self.desk.now
            )

        was_open = self.desk.one(
            "SELECT count(*) FROM complaint WHERE recall_number = %s AND sequence = %s AND state <> 'closed'",
            case.number, sequence,
        )  # fmt: skip
        done = self.desk.in_transaction("close complaint", work, f"{case.number} {sequence}")
        if not isinstance(done, Refused):
            case.complaints -= was_open
        return done

    # ------------------------------------------------------------------ tasks

    def do_task(self, task: dict[str, Any], what: str, person: str) -> Any:
        """Accept, send back, complete or reassign a task."""
        doer, evidence_id = Doer(person, task["role"]), None
        for case in self.cases:
            if case.number == task["recall_number"]:
                evidence_id = UUID(case.evidence)

        async def work(session: AsyncSession) -> Any:
            now, key = self.desk.now, task["id"]
            if what == "accept":
                return await task_actions.accept(session, key, doer=doer, now=now)
            if what == "send back":
                return await task_actions.send_back(session, key, doer=doer, reason="not mine", now=now)
            if what == "complete":
                cited = [evidence_id] if evidence_id else []
                return await task_actions.complete(session, key, doer=doer, outcome="done", evidence_ids=cited, now=now)
            if what == "offer":
                return await task_actions.reassign(
                    session, key, doer=doer, role=Role.QA, assignee=None, reason="to quality", now=now
                )
            return await task_actions.reassign(
                session, key, doer=doer, role=None, assignee=person, reason="yours", now=now
            )

        return self.desk.in_transaction(f"{what} task", work, f"{task['key']} by {person}")

    def move_tasks(self, leaver: str, taker: str) -> Any:
        """Everything an absent person has goes to somebody else."""

        async def work(session: AsyncSession) -> Any:
            return await task_actions.move(
                session, doer=Doer("Hedda", "head_of_quality"), leaver=leaver, taker=taker, reason="away", number=None,
                now=self.desk.now,
            )  # fmt: skip

        return self.desk.in_transaction("move tasks", work, f"{leaver} -> {taker}")


__all__ = ["StaffWork"]
