"""Dispositions that policies let several people sign: by value, in order, each another person."""

import json

import pytest

from db.repositories import branch_facts, disposition_tasks, recalls
from db.repositories.disposal_refusals import DisposalRefused
from domain.disposition import DispositionKind as K
from domain.firm import Firm
from domain.policy import Policy, parse_policy
from tests.disposition.conftest import NOW, NUMBER, Disposals
from tests.test_imports import ROOT

pytestmark = pytest.mark.db
VALUE = {"id": "value", "step": "disposition", "when": "value >= 1000 and disposition == 'destroy'"}
RELEASE = {"id": "implants", "step": "release", "when": "implantable"}
HOUSE = {"basis": "house", "source": "house rule"}


def profile() -> Policy:
    """The American profile with two rules of our own, no branches and no inspections."""
    body = parse_policy((ROOT / "policies" / "us-fda.yaml").read_text(encoding="utf-8")).pinned()
    rules = [
        VALUE | HOUSE | {"signers": ["approver", "head_of_quality"]},
        RELEASE | HOUSE | {"signers": ["qa", "approver", "head_of_quality"]},
    ]
    return Policy.from_pinned({**body, "approvals": rules, "branches": [], "release": None})


@pytest.fixture
async def priced(disposals: Disposals) -> Disposals:
    """The lot's product is worth 50 USD a unit; the recall has the rules."""
    disposals.yard.run("UPDATE product SET unit_value = 50, unit_currency = 'USD', implantable = true")
    async with disposals.yard.sessions.begin() as session:
        await recalls.pin(session, NUMBER, [profile()], NOW)
        await branch_facts.refresh(session, NUMBER, NOW, Firm())
    return disposals


async def tasks(disposals: Disposals) -> list[tuple[str, str]]:
    """(end of the key, function) of the open tasks to approve."""
    async with disposals.yard.sessions.begin() as session:
        await disposition_tasks.sync(session, NUMBER, NOW, by="system")
    found = disposals.yard.rows(
        "SELECT key, role FROM task WHERE key LIKE 'disposition_approval:%' AND state = 'offered' ORDER BY key"
    )
    return [(key.split(":", 2)[2] if key.count(":") > 1 else "", role) for key, role in found]


async def test_a_large_value_needs_the_head_of_quality_after_the_approver(priced: Disposals) -> None:
    found = await priced.propose(K.destroy, 40)
    assert await tasks(priced) == [("", "approver")]
    first = await priced.approve(found, "Ada")
    assert first.state == "proposed"
    assert await tasks(priced) == [("for:head_of_quality", "head_of_quality")]
    with pytest.raises(DisposalRefused, match="has signed already"):
        await priced.approve(found, "ADA", ("approver", "head_of_quality"))
    with pytest.raises(DisposalRefused, match="due from head_of_quality"):
        await priced.approve(found, "Alan", ("approver",))
    second = await priced.approve(found, "Hugo", ("head_of_quality",))
    assert second.state == "approved"
    assert await tasks(priced) == []


async def test_a_small_value_needs_the_approver_alone(priced: Disposals) -> None:
    found = await priced.approve(await priced.propose(K.destroy, 19), "Ada")
    assert found.state == "approved"


async def test_what_has_no_price_in_the_recalls_currency_is_worth_nothing(priced: Disposals) -> None:
    priced.yard.run("UPDATE product SET unit_currency = 'EUR'")
    assert (await priced.approve(await priced.propose(K.destroy, 100), "Ada")).state == "approved"


async def test_an_implant_is_released_by_three(priced: Disposals) -> None:
    found = await priced.propose(K.release, 40)
    assert ("for:approver", "approver") in await tasks(priced)
    assert (await priced.approve(found, "Ada")).state == "proposed"
    assert (await priced.approve(found, "Hugo", ("head_of_quality",))).state == "proposed"
    with pytest.raises(DisposalRefused, match="still missing is: approver"):
        await priced.approve(found, "Wilma", ("warehouse",))
    assert (await priced.approve(found, "Alan", ("approver",))).state == "approved"
    bodies = [json.dumps(row[0], sort_keys=True) for row in priced.yard.rows("SELECT body FROM sign_off ORDER BY id")]
    assert sum('"capacity"' in body for body in bodies) == 2
    assert sum('"for": "approver"' in body for body in bodies) == 1
