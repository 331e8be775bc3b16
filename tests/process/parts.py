"""The product's own activities behind the walk, over the test's database, and the recalls that are walked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from activities.closing_records import ClosingActivities
from activities.compose import NoticeLinks
from activities.intake import IntakeActivities
from activities.notice import NoticeActivities
from activities.notice_rendering import NoticeRenderer
from activities.policies import PolicyStore
from activities.quarantine import QuarantineActivities
from adapters.inventory.base import InventoryError
from adapters.inventory.ledger import LedgerInventory
from db.repositories.stock import StockLedger
from domain.channels import Channel
from domain.firm import Firm
from domain.inventory import HoldReceipt, Position
from domain.ladder import Ladder, LadderStep, StepKind
from domain.scope import LotRef, ScopeCriteria
from models.messages import (
    Actor,
    RecallRef,
    RecallScopeRef,
)
from settings import Settings
from tests.campaign.world import Provider
from tests.inventory.conftest import only
from tests.process.desk import Desk
from tests.process.model import Case
from tests.process.world import World

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)
LINKS = NoticeLinks(public_url="https://recall.firm.example", secret="s" * 32, mail_from="Recall <r@firm.example>")
LADDER = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
        LadderStep(kind=StepKind.REMINDER, after=DAY),
        LadderStep(kind=StepKind.PHONE, after=DAY),
    )
)
ADA = Actor(principal="Ada", roles=("approver", "head_of_quality"))
POLICIES = PolicyStore.load(ROOT / "policies")
RENDERER = NoticeRenderer()


class _Obstinate(LedgerInventory):
    """A keeper that does not answer for every other position."""

    def __init__(self, ledger: StockLedger) -> None:
        super().__init__(ledger)
        self._turn = 0

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        self._turn += 1
        if self._turn % 2:
            raise InventoryError("the keeper does not answer")
        return await super().hold(key, claimant, position)


@dataclass
class Parts:
    """The recalls of one example, and the parts of the product that move them."""

    desk: Desk
    world: World
    cases: list[Case] = field(default_factory=list)
    mail: Provider = field(default_factory=lambda: Provider(Channel.EMAIL))

    # ------------------------------------------------------------------ the product's parts

    @cached_property
    def intake(self) -> IntakeActivities:
        return IntakeActivities(self.desk.bench.sessions, POLICIES, Firm())

    @cached_property
    def notice(self) -> NoticeActivities:
        return NoticeActivities(self.desk.bench.sessions, RENDERER, Settings(state_dir=Path("unused")))

    @cached_property
    def closing(self) -> ClosingActivities:
        return ClosingActivities(self.desk.bench.sessions)

    def quarantine(self, *, obstinate: bool = False) -> QuarantineActivities:
        """The activities of the hold, over our own ledger."""
        ledger = StockLedger(self.desk.bench.sessions)
        return QuarantineActivities(
            self.desk.bench.sessions, only(_Obstinate(ledger) if obstinate else LedgerInventory(ledger))
        )

    def ref(self, case: Case) -> RecallRef:
        return RecallRef(number=case.number, now=self.desk.now)

    def scope_ref(self, case: Case, *, claim: bool = True) -> RecallScopeRef:
        return RecallScopeRef(number=case.number, now=self.desk.now, scope_version=case.version, claim=claim)

    def activity(self, name: str, case: Case, activity: Any, argument: Callable[[], Any], note: str = "") -> Any:
        """One activity as one operation; its argument is made at its own instant."""

        async def work() -> Any:
            return await self.desk.activity(activity, argument(), f"recall:{case.number}:campaign:{case.campaign or 1}")

        return self.desk.attempt(name, work, f"{case.number} {note}")

    def criteria(self, *names: str) -> ScopeCriteria:
        """Lots by their numbers."""
        return ScopeCriteria(lots=tuple(LotRef(product_code=self.world.codes[name], number=name) for name in names))

    def move(self, case: Case, phase: str) -> None:
        """The workflow projects its phase."""
        self.desk.run(
            "UPDATE recall SET phase = %s, phase_since = %s WHERE number = %s", phase, self.desk.now, case.number
        )
        case.phase = phase
        self.desk.settle()


__all__ = ["ADA", "DAY", "LADDER", "LINKS", "POLICIES", "Parts"]
