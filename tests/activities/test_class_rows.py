"""What an approver can decide on a proposal when the recall has moved to another version of its policy since."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.class_rows import decided_row
from domain.policy import Policy, parse_policy
from models.messages import Actor, ClassOverride
from models.recall import ClassDecision
from tests.activities.conftest import NOW, NUMBER, decision

pytestmark = pytest.mark.unit
FDA = Path(__file__).parents[2] / "policies" / "us-fda.yaml"
RECORD = decision("approve", Actor(principal="ada", roles=("approver",)), proposal_id=1)


def proposed() -> ClassDecision:
    return ClassDecision(
        recall_number=NUMBER,
        product_line="kits",
        jurisdiction="us-fda",
        kind="proposed",
        proposal_id=1,
        recall_class="I",
        level="I",
        local_term="Class I",
        market_action="removal",
        reasons=[],
        decided_by="system",
        decided_at=NOW,
    )


def moved_to() -> Policy:
    """The profile in a version that has given up the level that was proposed."""
    policy = parse_policy(FDA.read_text(encoding="utf-8"))
    kept = {name: rules for name, rules in policy.levels.items() if name != "I"}
    return policy.model_copy(update={"levels": kept})


@pytest.mark.parametrize(
    "override", [None, ClassOverride(product_line="kits", jurisdiction="us-fda", recall_class="I")]
)
def test_a_level_the_version_in_force_does_not_have_is_refused_once_and_says_which_there_are(
    override: ClassOverride | None,
) -> None:
    policy = moved_to()
    with pytest.raises(ApplicationError, match="kits under us-fda is proposed at level I, which version") as caught:
        decided_row(proposed(), override, policy, RECORD)
    assert (caught.value.type, caught.value.non_retryable) == ("InvalidInput", True)
    assert ", ".join(policy.levels) in str(caught.value)


def test_a_class_whose_level_the_version_in_force_has_is_decided_in_its_place() -> None:
    override = ClassOverride(product_line="kits", jurisdiction="us-fda", recall_class="II")
    row = decided_row(proposed(), override, moved_to(), RECORD)
    assert (row.kind, row.recall_class, row.level) == ("overridden", "II", "II")
