"""The checker of the end notices every single falsification, says which one it is, and is silent when all agrees."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from demo.checker import verdict
from demo.checks import compare_all
from demo.final_checks import compare_end
from demo.final_count import balances, other_claims
from demo.final_facts import FinalFacts
from demo.truth import Truth
from tests.demo import final_world as small
from tests.demo import world
from tests.demo.final_tables import SECOND
from tests.demo.world import KIT_2, at

pytestmark = pytest.mark.unit

Change = Callable[[Truth, FinalFacts], Any]


def _wrong(truth: Truth, end: FinalFacts) -> set[str]:
    return {comparison.what for comparison in compare_end(truth, end) if not comparison.agrees}


def _row(end: FinalFacts, table: str, number: int = 0, **values: Any) -> None:
    end.dossier.rows(table)[number].update(values)


def _claim(end: FinalFacts, claimant: str) -> None:
    claim = {"lot_id": 12, "location_id": 4, "position": "on_hand", "quantity": "40", "released_at": None}
    end.dossier.rows("stock_claim").append(claim | {"claimant": claimant})
    end.dossier.rows("stock")[1].update(held="40")


def test_a_world_in_which_everything_agrees_has_no_difference() -> None:
    comparisons = compare_end(small.truth(), small.end())
    assert [line for each in comparisons if not each.agrees for line in each.lines()] == []
    assert verdict(comparisons)[0] == 0
    assert len(comparisons) >= 80


BALANCE = "mass balance, "
ADDS_UP = "mass balance: both identities add up"
MISSING = "mass balance: missing are the silent sites' units alone"
STOCK, TRACED = "own stock by place and lot, in the dossier", "own stock by place and lot, by the trace"
USABLE = "recalled stock that may be used again: what was released"
DISPOSED = "dispositions carried out, by kind, place and lot"
DECIDED = "every disposition is decided by a second person and done"
EVIDENCE = "evidence in the dossier, by the hash of its content"
NAMED = "the audit names this dossier, and nothing came after it"
HARM = "harm: a closed complaint with clocks of its own"
CAPA = "CAPA: effective, signed off by another person"
REPORTS = "every report in the dossier is met, with a reference, or stopped"

CHANGES: dict[str, tuple[Change, set[str]]] = {
    "the dossier's scope lacks a lot": (
        lambda t, e: e.dossier.rows("scope_lot").pop(2),
        {"lots in the last scope of the dossier"},
    ),
    "a lot is said to have been there from the start": (
        lambda t, e: e.dossier.rows("scope_lot").append({"scope_version": 1, "lot_id": 13}),
        {"lots by which the scope grew"},
    ),
    "the dossier says another quantity was received": (
        lambda t, e: _row(e, "consignee_lot", 2, shipped="51"),
        {"units received by consignee and lot, in the dossier"},
    ),
    "the dossier says another quantity was passed on": (
        lambda t, e: _row(e, "consignee_lot", 3, shipped="11"),
        {"units passed on, in the dossier"},
    ),
    "an early notice leaves out a lot its consignee had by then": (
        lambda t, e: e.facts.mails[2].update(text="lot PO-1"),
        {"each notice names every lot its consignee had by then"},
    ),
    "the amended notice leaves out a lot": (
        lambda t, e: e.facts.mails[3].update(text="none"),
        {"each notice names every lot its consignee had by then"},
    ),
    "a page to staff was not caught": (lambda t, e: e.facts.mails.pop(), {"messages to our own people"}),
    "a stranger's mail was caught": (
        lambda t, e: e.facts.mails.append(e.facts.mails[0] | {"message_id": "<strange@x>"}),
        {"mails caught, by delivery", "each message is at an address of its consignee"},
    ),
    "the amended notice went to a site without a further lot": (
        lambda t, e: _row(e, "delivery", 1, campaign_id=72),
        {"sites the amended notice went to"},
    ),
    "the amended notice missed a site": (
        lambda t, e: _row(e, "delivery", 4, state="failed"),
        {"sites the amended notice went to"},
    ),
    "a telephone answer was typed in wrong": (
        lambda t, e: (e.facts.replies[4]["lines"][0].update(on_hand=21),),
        {"answers as given", "answers in the dossier"},
    ),
    "an answer is not in the dossier": (
        lambda t, e: e.dossier.tables.update(reply=e.dossier.rows("reply")[1:]),
        {"answers in the dossier"},
    ),
    "somebody ended otherwise": (
        lambda t, e: e.facts.consignees[1].update(state="acknowledged"),
        {"how each consignee ended"},
    ),
    "somebody ended otherwise in the dossier": (
        lambda t, e: _row(e, "consignee", 1, state="documented"),
        {"how each consignee ended, in the dossier"},
    ),
    "the counters disagree": (
        lambda t, e: e.facts.detail["counters"]["consignees"].update(answered=2),
        {"counters of consignees"},
    ),
    "the counter of the silent disagrees": (
        lambda t, e: e.facts.detail["counters"].update(outstanding=1),
        {"consignees nothing was heard of at the end"},
    ),
    "the account of the silent site is missing": (
        lambda t, e: e.dossier.rows("consignee_documented").clear(),
        {"consignees with a signed account"},
    ),
    "the silent site was documented after too few attempts": (
        lambda t, e: e.dossier.rows("consignee_documented")[0].update(signed_at=at(20)),
        {"nobody was documented too early"},
    ),
    "nobody tried the silent site in person": (
        lambda t, e: [row.update(live=False) for row in e.dossier.rows("contact_attempt")],
        {"nobody was documented too early"},
    ),
    "one unit more lies at our place": (lambda t, e: _row(e, "stock", 1, on_hand="41"), {STOCK, USABLE}),
    "one unit more lies at our place, by the trace": (lambda t, e: e.traced[0].update(on_hand="41"), {TRACED}),
    "released units are still locked": (
        lambda t, e: _row(e, "stock", 1, held="40"),
        {USABLE, "stock held: what open claims lock"},
    ),
    "a claim of the ended recall is left": (
        lambda t, e: _claim(e, world.NUMBER),
        {"nothing is claimed for the ended recall", USABLE},
    ),
    "a hold of the ended recall is left": (
        lambda t, e: _row(e, "hold", quantity="1", state="confirmed"),
        {"no hold of the ended recall is left"},
    ),
    "the other recall claims what was released": (
        lambda t, e: _claim(e, SECOND),
        {"claims of the story's other recalls", USABLE},
    ),
    "the other recall has a hold left": (
        lambda t, e: e.second_holds[0].update(quantity="40", state="nonconformity"),
        {"holds of the story's other recalls"},
    ),
    "a position waits": (
        lambda t, e: e.positions.append({"place_code": "DC", "quantity": "1", "lot_number": "PO-1"}),
        {"no position waits for a disposition"},
    ),
    "one unit more was destroyed than anybody wrote down": (
        lambda t, e: _row(e, "disposition_part", 5, quantity="5"),
        {DISPOSED},
    ),
    "a disposition was carried out at another place": (
        lambda t, e: _row(e, "disposition", 2, location_id=1),
        {DISPOSED},
    ),
    "a disposition is half done": (lambda t, e: _row(e, "disposition", 2, done="29", state="approved"), {DECIDED}),
    "a disposition was approved by its proposer": (
        lambda t, e: _row(e, "disposition", 2, decided_by="Quinn"),
        {DECIDED},
    ),
    "a disposition has no paper": (
        lambda t, e: e.dossier.rows("evidence_link").pop(),
        {"every disposition has its evidence"},
    ),
    "nobody witnessed a destruction": (
        lambda t, e: _row(e, "disposition_part", 2, witness=None),
        {"every destruction has a witness"},
    ),
    "whoever destroyed is the witness": (
        lambda t, e: _row(e, "disposition_part", 2, witness="Walt"),
        {"every destruction has a witness"},
    ),
    "a return was counted for somebody else": (
        lambda t, e: _row(e, "goods_return", consignee_id=2),
        {"units counted back, by consignee and lot"},
    ),
    "a return was counted at another dock": (
        lambda t, e: _row(e, "goods_return", location_id=4),
        {"units counted back, by dock and lot"},
    ),
    "a return has no paper": (lambda t, e: e.dossier.rows("evidence_link").pop(0), {"every return has its evidence"}),
    "another number of units was supplied": (
        lambda t, e: _row(e, "allocation", quantity="10"),
        {"replacement units shipped to sites left short"},
    ),
    "a lot is not in the balance": (
        lambda t, e: e.balance.pop(),
        {"lots in the mass balance", *(BALANCE + name.replace("_", " ") for name in balances(small.truth()))},
    ),
    "a unit is pending": (
        lambda t, e: e.balance[0]["terms"].update(held_pending="1"),
        {BALANCE + "held pending", "mass balance: nothing is pending", ADDS_UP},
    ),
    "a unit more is missing": (lambda t, e: e.balance[0]["terms"].update(unaccounted="1"), {MISSING, ADDS_UP}),
    "what the silent site has is called used": (
        lambda t, e: e.balance[1]["terms"].update(unaccounted="0", used="50"),
        {MISSING, BALANCE + "used"},
    ),
    "our side does not add up": (lambda t, e: e.balance[1]["terms"].update(produced="111"), {ADDS_UP}),
    "the filed statements say more was used": (
        lambda t, e: (
            e.dossier.tables.update(reply_line=[dict(row) for row in e.dossier.rows("reply_line")]),
            e.dossier.rows("reply_line")[3].update(used=6),
        ),
        {"units used, by the statements in the dossier", "answers in the dossier"},
    ),
    "a destruction has no movement": (
        lambda t, e: e.dossier.rows("movement").pop(1),
        {"movements in the dossier: destroyed and returned"},
    ),
    "the recall runs": (lambda t, e: e.facts.detail.update(phase="awaiting_authority"), {"phase"}),
    "the recall runs in the dossier": (lambda t, e: _row(e, "recall", phase="completed"), {"phase in the dossier"}),
    "a line of the checklist is open": (
        lambda t, e: e.checklist["items"][0].update(ok=False, open=["task 7"]),
        {"completion checklist"},
    ),
    "the checklist is empty": (lambda t, e: e.checklist["items"].clear(), {"completion checklist"}),
    "a task is open": (lambda t, e: _row(e, "task", state="accepted"), {"every task is done or cancelled"}),
    "a case is open": (lambda t, e: _row(e, "consignee_case", state="open"), {"every case is closed"}),
    "an obligation is overdue": (
        lambda t, e: e.obligations[0].update(state="overdue"),
        {"every obligation is met or stopped"},
    ),
    "a report was never made": (lambda t, e: _row(e, "deadline", met_at=None), {REPORTS}),
    "a report has no receipt": (lambda t, e: _row(e, "deadline", reference=None), {REPORTS}),
    "a report is met by a gate of another authority": (
        lambda t, e: _row(e, "sign_off", 3, step="gate:eu-mdr:told"),
        {REPORTS},
    ),
    "a report is met by a gate that was waived": (lambda t, e: _row(e, "sign_off", 3, outcome="waived"), {REPORTS}),
    "an authority's last word is more work": (
        lambda t, e: _row(e, "authority_answer", 1, answer="more_ordered"),
        {"authorities that said their last word"},
    ),
    "an authority never answered": (
        lambda t, e: e.dossier.rows("authority_answer").pop(),
        {"authorities that said their last word"},
    ),
    "quality signed twice and regulatory affairs never": (
        lambda t, e: _row(e, "sign_off", 1, step="completion:quality"),
        {"signatures under the completion"},
    ),
    "the effectiveness level is not met": (lambda t, e: e.effectiveness.update(met=False), {"effectiveness level met"}),
    "the first round passed": (
        lambda t, e: _row(e, "effectiveness_round", outcome="passed"),
        {"effectiveness rounds: the first failed, the last passed"},
    ),
    "the failed check was taken from the record": (
        lambda t, e: _row(e, "effectiveness_check", passed=True),
        {"a failed check is on record"},
    ),
    "the second check failed, too": (
        lambda t, e: _row(e, "effectiveness_check", 2, passed=False),
        {"whoever was checked has passed at last"},
    ),
    "the sample is not the one the seed draws": (
        lambda t, e: _row(e, "effectiveness_round", percent=51),
        {"first sample, drawn again from its seed"},
    ),
    "no harm is on record": (lambda t, e: e.dossier.rows("complaint").clear(), {HARM}),
    "a complaint is open": (lambda t, e: _row(e, "complaint", state="evaluated"), {HARM}),
    "a complaint has no clock": (lambda t, e: e.dossier.rows("clock_start").pop(0), {HARM}),
    "a complaint has no deadline": (lambda t, e: _row(e, "deadline", 1, complaint_id=None), {HARM}),
    "nobody was paged": (lambda t, e: _row(e, "complaint", paged=None), {HARM}),
    "the CAPA had no effect": (lambda t, e: _row(e, "capa", effective=False), {CAPA}),
    "whoever measured signed off": (lambda t, e: _row(e, "capa", closed_by="Quinn"), {CAPA}),
    "there is no CAPA": (lambda t, e: e.dossier.rows("capa").clear(), {CAPA}),
    "a paper is missing in the dossier": (lambda t, e: e.dossier.index.pop(), {EVIDENCE}),
    "a paper has another content": (
        lambda t, e: e.dossier.contents.update({e.dossier.index[1]["file"]: "00" * 32}),
        {EVIDENCE},
    ),
    "the alarm's own evidence is missing over the API": (
        lambda t, e: e.facts.evidence.pop(0),
        {"evidence over the API"},
    ),
    "the other recall lost its paper": (lambda t, e: e.second_evidence.clear(), {EVIDENCE, "evidence over the API"}),
    "a notice was changed in the dossier": (
        lambda t, e: _row(e, "notice", 1, sha256="00" * 32),
        {"notices in the dossier are what their hashes say"},
    ),
    "the amended notice is missing among the kinds": (
        lambda t, e: _row(e, "notice", 1, kind="retraction"),
        {"versions of the notice", "sites the amended notice went to"},
    ),
    "a notice's text is another": (
        lambda t, e: e.dossier.contents.update({"documents/notice-1/initial.email.en.txt": "00" * 32}),
        {"texts of the notices, as approved"},
    ),
    "an event was changed in the dossier": (
        lambda t, e: e.dossier.audit[0].update(actor="Nobody"),
        {"audit chain in the dossier, recomputed"},
    ),
    "the dossier's chain is another one": (
        lambda t, e: e.facts.audit[0].update(hash="00" * 32),
        {"audit chain in the dossier is the API's", "audit chain recomputed"},
    ),
    "the audit names another dossier": (
        lambda t, e: setattr(e.dossier, "sha256", "00" * 32),
        {NAMED},
    ),
    "the head in the dossier is another": (
        lambda t, e: _row(e, "audit_head", seq=3),
        {"head of the chain in the dossier"},
    ),
}
for _term in balances(small.truth()):
    if _term != "held_pending":
        CHANGES[f"another figure in the balance: {_term}"] = (
            lambda t, e, term=_term: e.balance[2]["terms"].update({term: "1000"}),  # type: ignore[misc]
            {BALANCE + _term.replace("_", " "), ADDS_UP},
        )


@pytest.mark.parametrize("name", CHANGES)
def test_the_checker_notices_exactly_that(name: str) -> None:
    change, expected = CHANGES[name]
    truth, end = small.truth(), small.end()
    change(truth, end)
    assert _wrong(truth, end) == expected
    code, text = verdict(compare_end(truth, end))
    assert code == 1
    assert all(f"FAIL {what}" in text for what in expected)


def test_every_comparison_of_the_end_can_fail() -> None:
    noticed: set[str] = set().union(*(expected for _, expected in CHANGES.values()))
    first_stage = {comparison.what for comparison in compare_all(world.truth(), world.facts())}
    every = {comparison.what for comparison in compare_end(small.truth(), small.end())}
    assert every - first_stage - noticed == set()
    assert noticed <= every


def test_what_another_recall_still_claims_is_what_neither_left_nor_was_released() -> None:
    truth, end = small.truth(), small.end()
    truth.doings.released[("DC-2", KIT_2)] = Decimal(15)
    assert other_claims(truth) == {(SECOND, "DC-2", KIT_2): Decimal(25)}
    _row(end, "stock_claim", quantity="25", released_at=None)
    _row(end, "stock", 1, held="25")
    _row(end, "disposition_part", quantity="15")
    end.second_holds[0].update(quantity="25", state="nonconformity")
    assert _wrong(truth, end) == set()


def test_two_claims_on_the_same_units_lock_them_once() -> None:
    truth, end = small.truth(), small.end()
    for claimant in (world.NUMBER, SECOND):
        _claim(end, claimant)
    assert "stock held: what open claims lock" not in _wrong(truth, end)


def test_the_same_answer_given_again_is_no_difference() -> None:
    truth, end = small.truth(), small.end()
    truth.told.append(truth.told[2])
    assert "answers as given" in _wrong(truth, end)
    end.facts.replies.append(end.facts.replies[2] | {"id": 9})
    end.dossier.rows("reply").append(end.dossier.rows("reply")[2] | {"id": 9})
    assert _wrong(truth, end) == set()
