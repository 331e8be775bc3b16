"""docs/policies.md names every key and every fact, and its example works as it says."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from domain import (
    policy,
    policy_approvals,
    policy_branches,
    policy_disposition,
    policy_figures,
    policy_ladder,
    policy_parts,
    policy_tasks,
)
from domain.decision import Rule
from domain.expressions import check
from domain.policy import CalendarRule, Policy, PolicyError, WorkingCalendar, ZoneRule, parse_policy, signers
from domain.policy_branches import applied
from domain.policy_facts import FACTS, PolicyFacts
from tests.domain.factories import POLICY_IDS, policy_text

pytestmark = pytest.mark.unit
TEXT = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
MODULES = (
    policy,
    policy_approvals,
    policy_branches,
    policy_disposition,
    policy_figures,
    policy_ladder,
    policy_parts,
    policy_tasks,
)


def test_every_key_of_the_schema_is_explained() -> None:
    models = {
        each
        for module in MODULES
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, policy_figures.Part)
    }
    assert len(models) > 20
    assert {Policy, CalendarRule, ZoneRule, Rule} <= {*models, Rule}
    checked: list[type[BaseModel]] = [*models, Rule]
    for model in checked:
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert f"`{key}`" in TEXT, f"{model.__name__}.{key}"


def test_every_fact_is_listed_with_what_it_means_and_its_words() -> None:
    for name, fact in FACTS.items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", TEXT, re.MULTILINE)
        assert row.startswith(f"{fact.type} | {fact.doc}")
        assert all(f"`{word}`" in row for word in fact.words if word)


def test_every_shipped_profile_and_every_calendar_is_named() -> None:
    assert all(f"`{name}`" in TEXT for name in (*POLICY_IDS, *WorkingCalendar))


def test_the_conditions_shown_are_conditions() -> None:
    (block,) = re.findall(r"```\n(implantable.*?)```", TEXT, re.DOTALL)
    assert [check(line) for line in block.strip().splitlines()] == block.strip().splitlines()


def _example() -> str:
    (found,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "large-german-implants" in block
    ]
    return str(found)


def test_the_worked_example_is_accepted_and_does_what_the_text_says() -> None:
    example = _example()
    extended = parse_policy(policy_text("eu-mdr") + example)
    case = PolicyFacts(implantable=True, countries=("DE", "FR"), units=Decimal(500))
    result = applied(extended, case)
    assert "large-german-implants" in result.fired
    assert {str(rules.notify.due) for rules in result.policy.levels.values()} == {"12 h"}
    assert "tell-surgeons" in {task.id for task in result.policy.extra_tasks}
    assert signers(result.policy, "assessment", case) == ("approver", "head_of_quality")
    few = case.model_copy(update={"units": Decimal(499)})
    assert "large-german-implants" not in applied(extended, few).fired


def test_the_fault_the_text_shows_is_the_fault_that_is_found() -> None:
    example = _example()
    (line,) = re.findall(r"^`(branches\[.*shorter)`\.$", TEXT, re.MULTILINE)
    with pytest.raises(PolicyError) as caught:
        parse_policy(policy_text("eu-mdr") + example.replace("due: 6 h, remind: 3 h", "due: 30 h, remind: 3 h"))
    assert caught.value.faults == (line,)


def test_the_document_knows_no_key_that_the_schema_does_not() -> None:
    keys = set(re.findall(r"^\| `([a-z_]+)`", TEXT.split("## The file")[1].split("**Level**")[0], re.MULTILINE))
    known = {field.alias or name for name, field in Policy.model_fields.items()}
    assert keys <= known
