"""The random walk: whatever people and feeds can do to one to three overlapping recalls, in any order.

Numbers pick among what is there (a recall, a consignee, a disposition), so that a step still means something after
earlier ones were taken out of the walk.
"""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import psycopg

from domain.attempts import DocumentedKind, Outcome
from domain.disposition import DispositionKind as K
from tests.process.checks import Checks
from tests.process.consignee_work import ConsigneeWork
from tests.process.desk import Bench, Desk, Refused
from tests.process.model import Case, Consignee
from tests.process.walk import action
from tests.process.world import HOSPITALS, KITS, OUR_PLACES, Shape, Shipping, build
from tests.support.chain import day

PICK = range(12)
BOTH = (False, True)
UNITS = range(1, 41)
STATED = ("all", "all", "part", "too much", "nothing", "over-held", "incomplete")
STAFF = {
    "Wanda": "warehouse", "Quinn": "qa", "Ada": "approver", "Hedda": "head_of_quality", "Hugo": "head_of_quality",
    "Reg": "regulatory", "Hilde": "head_of_supply",
}  # fmt: skip


def shape(rng: Random) -> Shape:
    """A chain at random."""
    return Shape(
        edges=tuple(rng.random() < 0.6 for _ in range(6)),
        shipments=tuple(
            Shipping(rng.randrange(4), rng.randrange(4), rng.randint(1, 15), arrived=rng.random() < 0.6)
            for _ in range(rng.randrange(6))
        ),
        miscount=rng.choice([0, 0, 3, -2]),
        reserved=rng.choice([0, 5]),
    )


class ProcessMachine:
    """One walk over one database."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        bench.postgres.truncate()
        bench.examples += 1
        self.connection = psycopg.connect(bench.postgres.owner_url, autocommit=True)
        self.tried = ""

    def close(self) -> None:
        """The walk is over."""
        self.connection.close()

    def begin(self, rng: Random) -> None:
        """A chain, its staff and a first recall, mostly with its notice sent."""
        world = build(self.bench.postgres.owner_url, shape(rng))
        self.work = ConsigneeWork(Desk(self.bench, self.connection), world)
        for name, role in STAFF.items():
            self.connection.execute(
                "INSERT INTO staff (principal, name, roles, email, phone, language, on_call)"
                " VALUES (%s, %s, %s, %s, '+15550123', 'en', %s)",
                [name, name, [role], f"{name.lower()}@firm.example", name == "Quinn"],
            )
        self.work.desk.settle()
        self.checks = Checks(self.work)
        case = self.work.start(rng.choice(["K1", "K2", "R1"]))
        if rng.random() < 0.8:
            self.work.hold(case)
            self.work.approve(case)

    def holds(self) -> None:
        """Everything that must be true is true."""
        self.checks.all_hold()

    # ------------------------------------------------------------------ picking

    def case(self, pick: int) -> Case:
        return self.work.cases[pick % len(self.work.cases)]

    def consignee(self, case: Case, pick: int) -> Consignee | None:
        known = sorted(case.consignees.values(), key=lambda each: each.id)
        return known[pick % len(known)] if known else None

    def lot(self, case: Case, pick: int) -> int:
        known = sorted(case.scope)
        return known[pick % len(known)]

    def place(self, pick: int) -> int:
        return self.work.world.places[OUR_PLACES[pick % len(OUR_PLACES)]]

    def row(self, pick: int, query: str, *values: Any) -> dict[str, Any] | None:
        rows = self.work.desk.rows(query, *values)
        return rows[pick % len(rows)] if rows else None

    def disposition(self, pick: int, *states: str) -> tuple[Case, dict[str, Any]] | None:
        found = self.row(
            pick, "SELECT * FROM disposition WHERE state = ANY(%s) ORDER BY id", list(states) or ["proposed"]
        )
        if found is None:
            return None
        return next(case for case in self.work.cases if case.number == found["recall_number"]), found

    # ------------------------------------------------------------------ recalls

    @action(pick=range(6))
    def another_recall(self, pick: int) -> None:
        if len(self.work.cases) < 3:
            self.work.start(("R1", "R2", *KITS)[pick])

    @action(2, pick=PICK, obstinate=BOTH)
    def holds_are_placed(self, pick: int, obstinate: bool) -> None:
        self.work.hold(self.case(pick), obstinate=obstinate)

    @action(2)
    def approved(self) -> None:
        waiting = [case for case in self.work.cases if case.phase == "assessment"]
        if waiting:
            self.work.approve(waiting[0])

    @action(pick=PICK)
    def ended(self, pick: int) -> None:
        case = self.case(pick)
        if case.phase == "assessment":
            self.work.end(case, "rejected")
        elif not case.ended and pick % 3 == 0:
            self.work.end(case, "cancelled")

    @action(pick=PICK, lot=PICK)
    def expanded(self, pick: int, lot: int) -> None:
        case, names = self.case(pick), sorted(self.work.world.lots)
        if not case.ended:
            self.work.amend(case, "expand", names[lot % len(names)])

    @action(pick=PICK, lot=PICK)
    def reduced(self, pick: int, lot: int) -> None:
        case, lots = self.case(pick), self.work.world.lots
        names = sorted(name for name in lots if lots[name] in case.scope or lot == 0)
        if not case.ended:
            self.work.amend(case, "reduce", names[lot % len(names)])

    @action(2, pick=PICK, days=(0, 0, 1, 2))
    def campaigns_go_on(self, pick: int, days: int) -> None:
        case = self.case(pick)
        self.work.desk.hours += 24 * days
        if case.campaign and not case.ended:
            if case.waiting:
                self.work.tell(case)
            self.work.turn(case)

    @action(pick=range(4))
    def completion_is_tried(self, pick: int) -> None:
        case = self.case(pick)
        if case.phase == "resolution" and self.work.desk.digest != self.tried:
            self.tried = self.work.desk.digest
            assert isinstance(self.work.complete(case), Refused), "completed without any CAPA"

    # ------------------------------------------------------------------ consignees

    @action(5, pick=PICK, who=PICK, how=STATED, part=range(9), by_phone=BOTH, again=BOTH)
    def stated(self, pick: int, who: int, how: str, part: int, by_phone: bool, again: bool) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee and case.campaign and not case.ended:
            self.work.state(case, consignee, how, part, by_phone=by_phone, again=again, harm=part == 8)

    @action(pick=PICK, who=PICK, to=("H1", "H3", "H4", "Elsewhere"), units=range(1, 6))
    def passed_on(self, pick: int, who: int, to: str, units: int) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee and case.campaign and not case.ended:
            self.work.state(case, consignee, "all", 0, onward=(to, units))

    @action(pick=PICK, who=PICK, by=("Quinn", "Hedda"))
    def query_settled(self, pick: int, who: int, by: str) -> None:
        questioned = [(case, each) for case in self.work.cases for each in case.consignees.values() if each.queried]
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if questioned and pick:
            case, consignee = questioned[who % len(questioned)]
        if consignee and consignee.stated:
            self.work.settle(case, consignee, consignee.stated[-1].reply, by)

    @action(pick=PICK, who=PICK, channel=("phone", "visit", "letter"), outcome=tuple(Outcome))
    def tried_to_reach(self, pick: int, who: int, channel: str, outcome: Outcome) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee and not case.ended:
            self.work.try_to_reach(case, consignee, channel, outcome)
            self.work.document(case, consignee, DocumentedKind.NO_RESPONSE)

    @action(pick=PICK, who=PICK)
    def case_looked_at(self, pick: int, who: int) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee and not case.ended:
            self.work.look_at_case(case, consignee)

    @action(pick=PICK, who=PICK, sequence=range(1, 4))
    def harm(self, pick: int, who: int, sequence: int) -> None:
        case = self.case(pick)
        if case.complaints < 2 and not case.ended:
            self.work.complain(case, self.consignee(case, who))
            self.work.take_up(case)
        elif case.complaints:
            self.work.close_complaint(case, 1 + sequence % case.complaints)

    @action(
        pick=PICK, what=("accept", "send back", "complete", "offer", "assign", "move"),
        person=tuple(STAFF), other=tuple(STAFF),
    )  # fmt: skip
    def task_done(self, pick: int, what: str, person: str, other: str) -> None:
        task = self.row(
            pick, "SELECT * FROM task WHERE state IN ('offered','accepted','sent_back') AND step <> 'query' ORDER BY id"
        )
        if what == "move":
            self.work.move_tasks(person, other)
        elif task is not None:
            self.work.do_task(task, what, person)

    # ------------------------------------------------------------------ goods

    @action(2, pick=PICK, who=PICK, lot=PICK, place=PICK, units=range(1, 9), again=BOTH)
    def returned(self, pick: int, who: int, lot: int, place: int, units: int, again: bool) -> None:
        case = self.case(pick)
        consignee = self.consignee(case, who)
        if consignee:
            lots = sorted(lot for lot, at in self.work.world.goods.shipped if at == consignee.partner)
            chosen = lots[lot % len(lots)] if lots else self.lot(case, lot)
            self.work.take_back(case, consignee, chosen, self.place(place), Decimal(units), again=again)

    @action(
        pick=PICK, kind=tuple(K), at=PICK, units=UNITS, by=("Wanda", "Ada"),
        again=BOTH,
    )  # fmt: skip
    def proposed(self, pick: int, kind: K, at: int, units: int, by: str, again: bool) -> None:
        case = self.case(pick)
        if kind in (K.return_to_us, K.replace_, K.field_correction) or (kind is K.destroy and at % 3 == 0):
            consignee = self.consignee(case, at)
            if consignee is not None:
                self.work.propose(
                    case, kind, self.lot(case, units), None, consignee.id, Decimal(units % 9 + 1), by, again=again
                )
            return
        held = self.row(
            at, "SELECT DISTINCT lot_id, location_id FROM hold WHERE recall_number = %s AND quantity > 0 ORDER BY 1, 2",
            case.number,
        )  # fmt: skip
        if held is not None:
            self.work.propose(case, kind, held["lot_id"], held["location_id"], None, Decimal(units), by, again=again)

    @action(2, pick=PICK, by=("Ada", "Hedda", "Hugo", "Wanda"), yes=range(5))
    def decided(self, pick: int, by: str, yes: int) -> None:
        found = self.disposition(pick)
        if found is not None:
            role = "head_of_quality" if by in ("Hedda", "Hugo") else "approver"
            self.work.decide(found[0], found[1]["sequence"], by, role, yes=yes > 0)

    @action(2, pick=PICK)
    def signed_at_once(self, pick: int) -> None:
        """Everybody needed signs, so that walks come to carry things out."""
        found = self.disposition(pick)
        if found is not None:
            case, row = found
            self.work.decide(case, row["sequence"], "Hugo", "head_of_quality", yes=True)
            if row["kind"] == "release":
                self.work.decide(case, row["sequence"], "Alan", "approver", yes=True)

    @action(4,
        pick=PICK, at=PICK, units=range(1, 26), part=range(1, 26), dock=PICK, again=BOTH,
        kind=(K.release, K.destroy, K.rework, K.return_to_factory, K.release),
    )  # fmt: skip
    def disposed_of(self, pick: int, kind: K, at: int, units: int, part: int, dock: int, again: bool) -> None:
        """Our own stock goes the whole way at once: proposed, signed by everybody, carried out in part or whole."""
        case = self.case(pick)
        held = self.row(
            at, "SELECT DISTINCT lot_id, location_id FROM hold WHERE recall_number = %s AND quantity > 0"
            " AND confirmed_at IS NOT NULL ORDER BY 1, 2", case.number,
        )  # fmt: skip
        if held is not None:
            self.whole_way(case, kind, (held["lot_id"], held["location_id"], None), units, part, dock, again=again)

    @action(4,
        pick=PICK, who=PICK, lot=PICK, units=range(1, 7), part=range(1, 7), dock=PICK, again=BOTH,
        kind=(K.return_to_us, K.replace_, K.field_correction, K.destroy),
    )  # fmt: skip
    def disposed_of_there(
        self, pick: int, kind: K, who: int, lot: int, units: int, part: int, dock: int, again: bool
    ) -> None:
        """The same at a consignee that has stated what it has."""
        case = self.case(pick)
        stated = [each for each in case.consignees.values() if each.latest and any(each.latest.lines.values())]
        if stated and not case.ended:
            consignee = stated[who % len(stated)]
            lots = sorted(consignee.latest.lines) if consignee.latest else []
            spot = (lots[lot % len(lots)], None, consignee.id)
            self.whole_way(case, kind, spot, units, part, dock, again=again)

    def whole_way(
        self, case: Case, kind: K, spot: tuple[int, int | None, int | None], units: int, part: int, dock: int,
        *, again: bool,
    ) -> None:  # fmt: skip
        made = self.work.propose(case, kind, *spot, Decimal(units), "Wanda")
        if isinstance(made, Refused):
            return
        (row,) = self.work.desk.rows("SELECT * FROM disposition WHERE id = %s", made[0].id)
        self.work.decide(case, row["sequence"], "Hugo", "head_of_quality", yes=True)
        if kind is K.release:
            self.work.decide(case, row["sequence"], "Ada", "approver", yes=True)
        spare = (self.work.world.lots["K9"], self.work.world.places["depot"])
        self.work.carry_out(case, row, Decimal(min(part, units)), self.place(dock), spare, again=again)

    @action(pick=PICK)
    def withdrawn(self, pick: int) -> None:
        found = self.disposition(pick, "proposed", "approved")
        if found is not None:
            self.work.withdraw(found[0], found[1]["sequence"])

    @action(2, pick=PICK, units=UNITS, whole=BOTH, dock=PICK, again=BOTH)
    def carried_out(self, pick: int, units: int, whole: bool, dock: int, again: bool) -> None:
        found = self.disposition(pick, "approved") or self.disposition(pick, "proposed", "done")
        if found is not None:
            case, row = found
            part = row["quantity"] - row["done"] if whole and row["quantity"] > row["done"] else Decimal(units)
            spare = (self.work.world.lots["K9"], self.work.world.places["depot"])
            self.work.carry_out(case, row, part, self.place(dock), spare, again=again)

    @action(pick=PICK, lot=PICK, place=PICK, units=range(1, 6), settle=BOTH)
    def sample(self, pick: int, lot: int, place: int, units: int, settle: bool) -> None:
        case = self.case(pick)
        if settle and case.samples:
            self.work.settle_sample(case, min(case.samples))
        else:
            self.work.keep(case, self.lot(case, lot), self.place(place), Decimal(units), again=True)

    @action(2, pick=PICK, what=("approve", "approve", "reject", "ship", "ship", "settle"))
    def supplied(self, pick: int, what: str) -> None:
        case = self.case(pick)
        self.work.look_at_disposition(case)
        if what == "settle":
            short = self.row(pick, "SELECT id FROM shortage WHERE recall_number = %s ORDER BY id", case.number)
            if short is not None:
                self.work.settle_shortage(case, short["id"])
            return
        state = "approved" if what == "ship" else "proposed"
        row = self.row(
            pick, "SELECT * FROM allocation WHERE recall_number = %s AND state = %s ORDER BY id", case.number, state
        ) or self.row(pick, "SELECT * FROM allocation WHERE recall_number = %s ORDER BY id", case.number)
        if row is not None:
            self.work.allocate(case, row, what)

    @action(2,
        what=("shipment", "delivery", "consumption", "to us"), lot=range(4),
        units=range(1, 9), goal=range(4), late=BOTH,
    )  # fmt: skip
    def movement_imported(self, what: str, lot: int, units: int, goal: int, late: bool) -> None:
        at = day(60) if late else self.work.desk.now.replace(minute=0) + timedelta(minutes=30)
        name, document = KITS[lot], f"X{self.work.desk.hours}"
        if what == "to us":
            self.work.bring("delivery", name, Decimal(units), "plant", ("depot", "carrier")[goal % 2], at, document)
        elif what == "consumption":
            self.work.bring(what, name, Decimal(units), "depot", "", at, document)
        else:
            place = (*HOSPITALS[:3], "carrier")[goal]
            self.work.bring(what, name, Decimal(units), "depot", place, at, document)

    @action(pick=PICK)
    def shipment_arrives(self, pick: int) -> None:
        under_way = sorted(self.work.world.goods.under_way.items())
        if not under_way:
            return
        (lot, place, document), units = under_way[pick % len(under_way)]
        names = {number: name for name, number in self.work.world.lots.items()}
        places = {number: name for name, number in self.work.world.places.items()}
        at = self.work.desk.now.replace(minute=0) + timedelta(minutes=30)
        self.work.bring("receipt", names[lot], units, "", places[place], at, document)

    @action(1, lot=range(4), place=range(3), change=range(-6, 7), reserved=range(6))
    def counted(self, lot: int, place: int, change: int, reserved: int) -> None:
        name, where = KITS[lot], OUR_PLACES[place]
        there = self.work.world.goods.at(self.work.world.lots[name], self.work.world.places[where])
        units = max(there + change, Decimal(0))
        self.work.count(name, where, units, min(Decimal(reserved), units))


__all__ = ["ProcessMachine"]
