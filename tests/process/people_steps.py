"""Steps of the walk that people take about recalls, consignees and tasks."""

from domain.attempts import DocumentedKind, Outcome
from tests.process.desk import Refused
from tests.process.table import BOTH, PICK, STAFF, Table
from tests.process.walk import action
from tests.process.world import KITS

STATED = ("all", "all", "part", "too much", "nothing", "over-held", "incomplete")


class PeopleSteps(Table):
    """Decisions, answers and tasks."""

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


__all__ = ["PeopleSteps"]
