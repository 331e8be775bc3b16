"""The demonstration's checker notices every kind of difference, and is silent when there is none."""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo import chain
from demo.checker import verdict
from demo.checks import compare_all
from demo.facts import Facts
from demo.truth import Told, Truth, read_diary
from tests.demo import world

pytestmark = pytest.mark.unit

Change = Callable[[Truth, Facts], Any]


def _wrong(truth: Truth, facts: Facts) -> set[str]:
    return {comparison.what for comparison in compare_all(truth, facts) if not comparison.agrees}


def test_a_world_in_which_everything_agrees_has_no_difference() -> None:
    comparisons = compare_all(world.truth(), world.facts())
    assert [line for each in comparisons if not each.agrees for line in each.lines()] == []
    assert verdict(comparisons)[0] == 0
    assert len(comparisons) >= 25


CHANGES: dict[str, tuple[Change, str]] = {
    "a lot is missing": (lambda t, f: f.lots.pop(), "lots in scope"),
    "a lot too many": (lambda t, f: t.lots.discard(world.KIT_2), "lots in scope"),
    "a lot listed twice": (lambda t, f: f.lots.append(f.lots[0]), "lots in scope"),
    "a lot under another number": (lambda t, f: f.lots[0].update(number="PO-1X"), "lots in scope"),
    "a consignee is missing": (lambda t, f: f.sites.pop(0), "consignees"),
    "a consignee too many": (lambda t, f: f.sites.append(f.sites[0] | {"partner_code": "X"}), "consignees"),
    "a lot's quantity differs": (
        lambda t, f: f.consignees[0]["lots"][0].update(shipped="99"),
        "units shipped by lot",
    ),
    "a lot of another site": (lambda t, f: f.lots[0].update(site_code="Plant 2"), "lots in scope"),
    "a consignee's quantity of one lot differs": (
        lambda t, f: f.consignees[1]["lots"][0].update(shipped="2.500001"),
        "units received by consignee and lot",
    ),
    "two consignees are swapped": (
        lambda t, f: (
            f.consignees[0].update(partner_code="Kenya / K1"),
            f.consignees[1].update(partner_code="Zambia / Z1"),
        ),
        "units received by consignee and lot",
    ),
    "a consignee's total differs": (lambda t, f: f.sites[0].update(shipped="103"), "units received by consignee"),
    "the recall counts other lots": (lambda t, f: f.detail["scope"].update(lots=4), "figures of the recall: lots"),
    "the named site got another quantity": (
        lambda t, f: f.consignees[2]["lots"][0].update(shipped="9"),
        "units passed on to sites nobody had on record",
    ),
    "the named site was forgotten": (
        lambda t, f: f.consignees.pop(2),
        "units passed on to sites nobody had on record",
    ),
    "stock without a hold": (lambda t, f: f.holds.clear(), "units under a confirmed hold"),
    "a hold is not confirmed": (lambda t, f: f.holds[0].update(state="requested"), "units under a confirmed hold"),
    "a hold of another quantity": (lambda t, f: f.holds[0].update(quantity="39"), "units under a confirmed hold"),
    "a hold at a customer": (
        lambda t, f: f.holds[0].update(custody="customer"),
        "holds on what lies in our or our logistics partners' hands",
    ),
    "a hold after the first notice": (
        lambda t, f: f.holds[0].update(requested_at=world.at(6)),
        "holds requested before the first notice left",
    ),
    "a mail is missing": (lambda t, f: f.mails.pop(), "mails caught, by delivery"),
    "a mail nobody knows of": (
        lambda t, f: f.mails.append(f.mails[0] | {"message_id": "<foreign@elsewhere>"}),
        "mails caught, by delivery",
    ),
    "a mail caught twice": (lambda t, f: f.mail_stats.update(duplicates=1), "mails caught twice"),
    "a failure nobody saw": (lambda t, f: f.mail_stats.update(refused=0), "mails refused by the receiving server"),
    "a text message is missing": (lambda t, f: f.texts.pop(0), "text messages, by the provider's id"),
    "a text message of another id": (lambda t, f: f.texts[0].update(sid="SM9"), "text messages, by the provider's id"),
    "a message still waits": (lambda t, f: f.deliveries[3].update(state="pending"), "nothing waits to be sent"),
    "a mail to another consignee's address": (
        lambda t, f: f.mails[0].update(to="clinic@x.example"),
        "each message is at an address of its consignee",
    ),
    "a mail to a stranger": (
        lambda t, f: f.mails[0].update(to="stranger@x.example"),
        "each message is at an address of its consignee",
    ),
    "a text message to a stranger": (
        lambda t, f: f.texts[0].update(to="+15557019999"),
        "each message is at an address of its consignee",
    ),
    "a consignee without a notice": (lambda t, f: f.deliveries.pop(1), "each consignee got a notice"),
    "a notice without one of the lots": (
        lambda t, f: f.mails[1].update(text="lot PO-7"),
        "each notice names every lot of its consignee",
    ),
    "an answer was lost": (lambda t, f: f.replies.pop(), "answers as given"),
    "an answer nobody gave": (lambda t, f: t.told.pop(), "answers as given"),
    "an answer with another quantity": (
        lambda t, f: f.replies[0]["lines"][0].update(used="31.000000"),
        "answers as given",
    ),
    "an answer of somebody else": (lambda t, f: f.replies[0].update(consignee_id=3), "answers as given"),
    "an answer by another channel": (lambda t, f: f.replies[1].update(channel="page"), "answers by channel"),
    "somebody is still open": (lambda t, f: f.consignees[1].update(state="open"), "every consignee was heard of"),
    "the counter of those who owe quantities disagrees": (
        lambda t, f: f.detail["counters"]["consignees"].update(acknowledged=0),
        "consignees that still owe quantities",
    ),
    "the counter of the silent disagrees": (
        lambda t, f: f.detail["counters"].update(outstanding=1),
        "consignees nothing was heard of",
    ),
    "the evidence is another file": (lambda t, f: f.evidence[0].update(sha256="cd" * 32), "evidence files"),
    "the evidence is gone": (lambda t, f: f.evidence.clear(), "evidence files"),
    "an audit event was changed": (lambda t, f: f.audit[1].update(actor="Nobody"), "audit chain recomputed"),
    "an audit event's data were changed": (
        lambda t, f: f.audit[1]["data"].update(lots=2),
        "audit chain recomputed",
    ),
    "an audit event was removed": (lambda t, f: f.audit.pop(1), "audit chain recomputed"),
    "the last audit event was cut off": (lambda t, f: f.audit.pop(), "head of the chain"),
    "the product calls its chain broken": (
        lambda t, f: f.audit_verified.update(intact=False),
        "audit chain as the product verifies it",
    ),
    "a notice body was changed": (
        lambda t, f: f.notices[0]["bodies"][0]["body"].update(text="other"),
        "the approved notice is what its hash says",
    ),
    "the notice has another hash": (
        lambda t, f: f.notices[0].update(sha256="00" * 32),
        "the approved notice is what its hash says",
    ),
    "the starter approved the notice": (
        lambda t, f: f.notices[0].update(approved_by="Quinn"),
        "the approved notice is what its hash says",
    ),
    "nobody approved the notice": (
        lambda t, f: f.notices[0].update(approved_by=None),
        "the approved notice is what its hash says",
    ),
    "a deadline's two times disagree": (
        lambda t, f: f.deadlines[0]["due"].update(policy_at=world.policy(17)),
        "deadlines in real and policy time agree",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_checker_notices_that(name: str) -> None:
    change, expected = CHANGES[name]
    truth, facts = world.truth(), world.facts()
    change(truth, facts)
    wrong = _wrong(truth, facts)
    assert expected in wrong, f"{name}: noticed only {sorted(wrong)}"
    code, text = verdict(compare_all(truth, facts))
    assert code == 1
    assert f"FAIL {expected}" in text


def test_every_comparison_can_fail() -> None:
    noticed: set[str] = set()
    for change, _ in CHANGES.values():
        truth, facts = world.truth(), world.facts()
        change(truth, facts)
        noticed |= _wrong(truth, facts)
    every = {comparison.what for comparison in compare_all(world.truth(), world.facts())}
    assert every == noticed


def test_one_that_never_answers_is_expected_to_be_open_and_nobody_else() -> None:
    truth, facts = world.truth(), world.facts()
    truth.silent = {"Kenya / K1"}
    truth.told.pop(1)
    facts.replies.pop(1)
    assert "every consignee was heard of" in _wrong(truth, facts)
    facts.consignees[1].update(state="open")
    facts.detail["counters"].update(outstanding=1, consignees={"open": 1, "answered": 2})
    assert _wrong(truth, facts) == set()
    facts.consignees[0].update(state="open")
    assert _wrong(truth, facts) == {"every consignee was heard of"}


def test_a_silent_site_outside_the_scope_so_far_counts_for_nothing() -> None:
    truth, facts = world.truth(), world.facts()
    truth.silent = {"Ghana / G1"}
    assert _wrong(truth, facts) == set()


def test_what_was_passed_on_is_counted_once_although_it_is_written_down_with_every_answer(tmp_path: Path) -> None:
    passed = [["Clinic X", *world.KIT_1, "10"], ["Clinic X", *world.KIT_1, "9"]]
    diary = {"addresses": {}, "evidence": {}, "told": [], "onward": passed, "silent": ["Kenya / K1"]}
    path = tmp_path / "diary.json"
    path.write_text(json.dumps(diary))
    truth = Truth()
    read_diary(path, truth)
    assert truth.onward == {("Clinic X", world.KIT_1): Decimal(9)}
    assert truth.silent == {"Kenya / K1"}


def test_comparing_nothing_is_a_failure() -> None:
    assert verdict([])[0] == 1


def test_a_repeated_answer_counts_as_a_difference() -> None:
    truth, facts = world.truth(), world.facts()
    facts.replies.append(facts.replies[1])
    assert {"answers as given", "answers by channel"} <= _wrong(truth, facts)


def test_an_acknowledgement_is_not_taken_for_a_statement() -> None:
    truth, facts = world.truth(), world.facts()
    truth.told[1] = Told("Kenya / K1", "sms", "statement", {world.KIT_2: (Decimal(0),) * 4})
    assert "answers as given" in _wrong(truth, facts)


def test_the_audit_rule_hashes_as_the_product_documents_it() -> None:
    event = {
        "seq": 1,
        "at": "2026-11-21T13:00:00+01:00",
        "actor": "Ä",
        "role": "qa",
        "action": "a",
        "reason": None,
        "data": {"b": 1, "a": [True, None, 0.5]},
    }
    text = (
        '{"action":"a","actor":"Ä","at":"2026-11-21T12:00:00.000000Z","data":{"a":[true,null,0.5],"b":1},'
        '"reason":null,"role":"qa","seq":1,"stream":"RC-2026-000001"}'
    )
    assert (
        chain.link_hash("0" * 64, "RC-2026-000001", event)
        == hashlib.sha256(("0" * 64 + "\n" + text).encode()).hexdigest()
    )
