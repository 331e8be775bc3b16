"""Classes somebody sends: a line and jurisdiction named twice says nothing that could be signed."""

from typing import Any

import pytest
from pydantic import ValidationError

from models.schemas_changes import ReclassificationIn
from models.schemas_decisions import OverrideIn

pytestmark = pytest.mark.unit


def named(recall_class: str, jurisdiction: str = "us-fda") -> dict[str, Any]:
    return {"product_line": "Kit", "jurisdiction": jurisdiction, "recall_class": recall_class}


def test_two_classes_for_one_line_and_jurisdiction_are_refused_whoever_names_them() -> None:
    twice = [named("III"), named("II")]
    letters = [each | {"reference": "letter 7"} for each in twice]
    for model, body, field in (
        (OverrideIn, {"proposal_id": 1, "overrides": twice, "reason": "remote"}, "overrides"),
        (ReclassificationIn, {"proposal_id": 1, "overrides": twice, "reason": "remote"}, "overrides"),
        (ReclassificationIn, {"authority": letters}, "authority"),
    ):
        with pytest.raises(ValidationError, match="1: Kit under us-fda is named twice") as refused:
            model.model_validate(body)
        assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_one_class_each_for_several_jurisdictions_is_taken() -> None:
    both = [named("III"), named("II", "eu-mdr")]
    assert len(OverrideIn.model_validate({"proposal_id": 1, "overrides": both, "reason": "remote"}).overrides) == 2
