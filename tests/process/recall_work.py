"""Recalls of the walk: started, approved, told, changed and ended by the product's own activities, step by step.

What a workflow would put in order is put in order here by hand; the records are the product's.
"""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from activities.amendments import AmendmentActivities
from activities.assessment import AssessmentActivities
from activities.campaign import CampaignActivities
from activities.notify import NotifyActivities
from adapters.messaging.factory import build_blocked_adapters
from db.repositories import cases, evidence
from db.repositories.cases import By
from domain.channels import Channel
from domain.firm import Firm
from models.evidence import Evidence
from models.messages import (
    AdvanceCampaign,
    AmendScope,
    BeginIntake,
    CreateCampaign,
    DraftNotice,
    EndRecall,
    RecordDecision,
    SendBatch,
)
from tests.process.desk import Refusal, Refused
from tests.process.model import Case, Consignee
from tests.process.parts import ADA, LADDER, LINKS, POLICIES, Parts
from tests.support.recalls import write_recall


class RecallWork(Parts):
    """The recalls of one example and how each is moved on."""

    # ------------------------------------------------------------------ from the alarm to the notice

    def start(self, *names: str) -> Case:
        """Intake: policies pinned, scope traced, everything of it claimed."""
        number = f"RC-2026-{len(self.cases) + 1:06d}"
        write_recall(self.desk.bench.postgres.owner_url, number)
        suspect = self.criteria(*names).model_dump(mode="json")
        self.desk.run(
            "UPDATE recall SET suspect = %s, created_at = %s, phase_since = %s, awareness_at = %s WHERE number = %s",
            json.dumps(suspect), self.desk.now, self.desk.now, self.desk.now, number,
        )  # fmt: skip
        roots = {self.world.lots[name] for name in names}
        case = Case(number, "assessment", roots, self.world.goods.descends(roots), "")
        self.cases.append(case)
        self.desk.settle()

        async def open_it() -> None:
            async with self.desk.bench.sessions.begin() as session:
                file = Evidence(
                    id=uuid4(), file_name="proof.pdf", content_type="application/pdf", size=3, sha256="0" * 64,
                    uploaded_by="Quinn", uploaded_at=self.desk.now,
                )  # fmt: skip
                await evidence.add(session, file, role="qa")
                case.evidence = str(file.id)
            await self.desk.activity(self.intake.begin_intake, BeginIntake(number=number, now=self.desk.now))
            await self.desk.activity(self.intake.resolve_scope, self.scope_ref(case))
            await self.desk.activity(self.quarantine().request_holds, self.scope_ref(case))

        assert not isinstance(self.desk.attempt("start", open_it, f"{number} {names}"), Refused)
        self.take_consignees(case)
        return case

    def approve(self, case: Case) -> None:
        """Class, strategy and gates decided by people: the recall comes to its notice, which is released and sent."""
        self.desk.run(
            "INSERT INTO class_decision (recall_number, product_line, jurisdiction, kind, proposal_id, recall_class,"
            " level, local_term, market_action, reasons, decided_by, decided_at)"
            " VALUES (%s, 'kits', 'us-fda', 'approved', 1, 'II', 'II', 'Class II', 'removal', '[]', 'Ada', %s)",
            case.number, self.desk.now,
        )  # fmt: skip
        strategy = {"depth": "user_facility", "effectiveness_level": "A", "public_warning": False}
        for capacity in ("quality", "regulatory"):
            self.desk.run(
                "INSERT INTO sign_off (recall_number, step, outcome, actor, role, meaning, body, signed_at)"
                " VALUES (%s, %s, 'signed', %s, %s, 'm', %s, %s)",
                case.number, f"strategy:{capacity}", capacity, capacity[:24], json.dumps(strategy), self.desk.now,
            )  # fmt: skip
        self.move(case, "notification")
        self.desk.run("UPDATE recall SET recall_class = 'II' WHERE number = %s", case.number)
        self.desk.settle()
        self.tell(case)
        self.move(case, "resolution")

    def tell(self, case: Case, kind: Any = "") -> Any:
        """Draft, release and send the notice that is due."""
        kind = kind or ("initial" if case.campaign == 0 else "amendment")

        async def work() -> None:
            sequence, now = case.campaign + 1, self.desk.now
            draft = await self.desk.activity(
                self.notice.draft_notice,
                DraftNotice(
                    number=case.number, now=now, version=sequence, kind=kind, scope_version=case.version
                ),
            )  # fmt: skip
            decision = {
                "actor": ADA.model_dump(mode="json"), "reason": None,
                "notice_id": draft.notice_id, "sha256": draft.sha256,
            }  # fmt: skip
            record = RecordDecision(number=case.number, now=now, decision=decision, operation="approve_notice")
            await self.desk.activity(self.notice.record_notice_approval, record)
            create = CreateCampaign(
                number=case.number, now=now, notice_id=draft.notice_id, sequence=sequence, kind=draft.kind
            )
            await self.desk.activity(self.notice.create_campaign, create)
            case.campaign = sequence

        told = self.desk.attempt("tell", work, f"{case.number} {kind}")
        case.waiting = isinstance(told, Refused)
        self.take_consignees(case)
        self.turn(case)
        return told

    def turn(self, case: Case) -> None:
        """Every campaign looks at the record and sends what is due."""
        for sequence in range(1, case.campaign + 1):
            campaign = self.desk.one(
                "SELECT id FROM campaign WHERE recall_number = %s AND sequence = %s", case.number, sequence
            )
            activities = CampaignActivities(self.desk.bench.sessions)
            notify = NotifyActivities(
                self.desk.bench.sessions, {Channel.EMAIL: self.mail}, build_blocked_adapters(), LINKS
            )
            look = partial(
                AdvanceCampaign, number=case.number, campaign_id=campaign, ladder=LADDER, pace=1.0, priority=1,
                channels=("email",),
            )  # fmt: skip
            send = partial(SendBatch, number=case.number, campaign_id=campaign, channel="email")
            self.activity("campaign look", case, activities.advance_campaign, lambda: look(now=self.desk.now))  # noqa: B023
            self.activity("send", case, notify.send_batch, lambda: send(now=self.desk.now))  # noqa: B023 - called at once

    # ------------------------------------------------------------------ holds and traces

    def hold(self, case: Case, *, obstinate: bool = False) -> None:
        """The hold watch: claim what appeared, ask the keepers."""
        watch = self.quarantine(obstinate=obstinate)
        self.activity("hold", case, watch.execute_holds, lambda: self.scope_ref(case, claim=not case.ended))

    def retrace(self, case: Case) -> None:
        """Records arrived: the scope is traced anew."""
        traced = self.activity("retrace", case, self.intake.resolve_scope, lambda: self.scope_ref(case))
        assert not isinstance(traced, Refused), traced
        self.take_consignees(case)

    # ------------------------------------------------------------------ changes

    def amend(self, case: Case, change: Any, *names: str) -> Any:
        """Expand by lots, or take them out."""
        lots = {self.world.lots[name] for name in names}
        given: dict[str, Any] = (
            {"added": self.criteria(*names)} if change == "expand" else {"lot_ids": tuple(sorted(lots))}
        )
        amend = AmendmentActivities(self.desk.bench.sessions).amend_scope
        done = self.activity(change, case, amend, lambda: AmendScope(
            number=case.number, now=self.desk.now, scope_version=case.version + 1, change=change, actor=ADA,
            reason="the laboratory says so", **given,
        ), str(names))  # fmt: skip
        if isinstance(done, Refused):
            return done
        goods = self.world.goods
        if change == "expand":
            reached = goods.descends(lots)
            assert reached - case.scope, f"an expansion by {names} added nothing"
            case.roots |= lots
            case.excluded -= reached
            case.scope |= reached
        else:
            case.excluded |= lots
            kept = goods.descends(case.roots - case.excluded, case.excluded)
            case.scope -= (goods.descends(lots) & case.scope) - kept
        case.version += 1
        case.waiting = True
        self.take_consignees(case)
        return done

    # ------------------------------------------------------------------ ends

    def end(self, case: Case, how: str) -> Any:
        """Reject before the notice, cancel after it."""
        activities: dict[str, Callable[[EndRecall], Awaitable[Any]]] = {
            "rejected": AssessmentActivities(self.desk.bench.sessions, POLICIES, Firm()).record_rejection,
            "cancelled": self.closing.record_cancellation,
        }
        end = self.activity(how, case, activities[how], lambda: EndRecall(
            number=case.number, now=self.desk.now, actor=ADA, reason="it was wrong"
        ))  # fmt: skip
        assert not isinstance(end, Refused), end
        self.move(case, how)
        self.activity("end claims", case, self.closing.end_claims, lambda: self.ref(case))
        self.desk.in_transaction("stop cases", lambda session: self._stop_cases(session, case), case.number)
        if case.campaign:
            self.tell(case, "retraction")
        for consignee in case.consignees.values():
            for stated in consignee.stated:
                stated.query = False
        return end

    async def _stop_cases(self, session: Any, case: Case) -> None:
        by = By("system", "system", self.desk.now)
        for consignee in await cases.consignees_with_open_cases(session, case.number, 100):
            await cases.abandon(session, case.number, consignee, by)

    def complete(self, case: Case) -> Any:
        """A signature under the completion: refused, and without a trace, while anything is open."""

        async def work() -> Any:
            decision = {"actor": {"principal": "Quinn", "roles": ["qa"]}, "reason": None, "capacity": "quality"}
            record = RecordDecision(number=case.number, now=self.desk.now, decision=decision, operation="complete")
            signed = await self.desk.activity(self.closing.record_completion, record)
            if signed.open:
                raise Refusal("; ".join(item.key for item in signed.open))
            return signed

        return self.desk.attempt("complete", work, case.number)

    # ------------------------------------------------------------------ consignees as the trace found them

    def take_consignees(self, case: Case) -> None:
        """Whoever the trace found must be whoever the test sent a lot of the scope to; what follows is checked."""
        rows = self.desk.rows("SELECT id, partner_id, state FROM consignee WHERE recall_number = %s", case.number)
        for row in rows:
            known = case.consignees.get(row["id"])
            if known is None:
                place = self.desk.one(
                    "SELECT id FROM location WHERE partner_id = %s ORDER BY id LIMIT 1", row["partner_id"]
                )
                known = case.consignees[row["id"]] = Consignee(row["id"], row["partner_id"], place)
                self.world.goods.custody.setdefault(place, "customer")
                self.world.goods.partner.setdefault(place, row["partner_id"])
            elif known.state != row["state"]:
                assert row["state"] in ("open", "withdrawn"), f"{known} became {row['state']} by a trace or a notice"
            if row["state"] == "withdrawn":
                for stated in known.stated:
                    stated.query = False
            known.state = row["state"]
        goods = self.world.goods
        got = {who for (lot, who), units in goods.shipped.items() if lot in case.scope and units > 0}
        assert got <= {row["partner_id"] for row in rows}, f"{case.number} misses a consignee"


__all__ = ["RecallWork"]
