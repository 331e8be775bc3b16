"""A recall in which everything that the completion checklist asks for is done (`openers` opens one thing again)."""

from decimal import Decimal

from tests.closing.world import HOUR, NUMBER, T0, World, build
from tests.support.chain import Chain


class CompleteRecall:
    """100 made: 60 to two hospitals that used 50 and returned 10, which were destroyed with our 40."""

    def __init__(self, url: str) -> None:
        chain = Chain()
        self.plant, self.depot = chain.place("own", "manufacturer"), chain.place("own", "warehouse")
        self.first, self.second = chain.place(), chain.place()
        self.lot = chain.lot(chain.product(), site=self.plant, made=Decimal(100), number="L1")
        chain.move("shipment", self.lot, 100, self.plant, self.depot, delivered=True)
        chain.move("shipment", self.lot, 40, self.depot, self.first, delivered=True)
        chain.move("shipment", self.lot, 20, self.depot, self.second, delivered=True)
        self.world = world = build(url, chain)
        world.scope(self.lot)
        for place, got in ((self.first, 40), (self.second, 20)):
            world.consignee(place)
            world.received(place, self.lot, got)
        world.statement(self.first, {self.lot: {"used": 30, "on_hand": 10, "held": 10}})
        world.statement(self.second, {self.lot: {"used": 20}})
        self._empty_our_hands(world)
        self._paper(world)

    def _empty_our_hands(self, world: World) -> None:
        back = world.moved("return", self.lot, 10, self.first, self.depot, T0 + 2 * HOUR)
        world.disposed("return_to_us", self.lot, 10, place=self.first, movement=back)
        gone = world.moved("destruction", self.lot, 50, self.depot, None, T0 + 3 * HOUR)
        world.disposed("destroy", self.lot, 50, place=self.depot, movement=gone)
        confirmed = {"confirmed_at": T0, "confirmed_by": "wanda"}
        self.hold = world.hold(self.lot, self.depot, 0, "disposed", ended_at=T0 + 4 * HOUR, **confirmed)

    def _paper(self, world: World) -> None:
        self.round = world.add(
            "effectiveness_round",
            recall_number=NUMBER,
            sequence=1,
            level="A",
            percent=100,
            depth="user_facility",
            seed="s",
            population=2,
            sample_size=2,
            candidates=list(world.consignees.values()),
            drawn_at=T0 + 2 * HOUR,
            outcome="passed",
            judged_at=T0 + 3 * HOUR,
        )
        for consignee in world.consignees.values():
            self.check = world.add(
                "effectiveness_check",
                round_id=self.round,
                consignee_id=consignee,
                state="done",
                passed=True,
                checked_at=T0 + 3 * HOUR,
            )
        self.capa = world.add(
            "capa",
            recall_number=NUMBER,
            sequence=1,
            title="t",
            state="implementation",
            opened_at=T0,
            cause="the mould",
            plan_approved_by="ada",
            plan_approved_at=T0,
            reopened=0,
        )
        notice = world.add(
            "notice",
            recall_number=NUMBER,
            version=1,
            kind="initial",
            sha256="0" * 64,
            drafted_by="qa",
            drafted_at=T0,
            approved_by="ada",
            approved_at=T0,
        )
        world.add("campaign", recall_number=NUMBER, sequence=1, notice_id=notice, started_at=T0)
        # What is over, and what may outlive the recall, keeps nothing open.
        world.task("call:1", "phone_call", state="done")
        world.task("capa:1:action:1", "action", owner=f"recall:{NUMBER}:capa:1")
        world.task("completion:quality", "completion")
        world.task("obligation:closure:us-fda", "obligation")
        world.add(
            "deadline",
            recall_number=NUMBER,
            name="closure",
            jurisdiction="us-fda",
            clock="completion",
            limit_text="10 wd",
            basis="house",
            source="s",
            policy_due_at=T0 + 20_000 * HOUR,
            due_at=T0 + 20_000 * HOUR,
            role="regulatory",
        )
