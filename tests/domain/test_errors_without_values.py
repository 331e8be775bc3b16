"""What a model refuses is not quoted: a fault of ours that meets an answer must not carry it into a log or Temporal."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.harm import HarmReport, HarmStated
from models.replies import PageReply, PassedOnTo, SmsReply

pytestmark = pytest.mark.unit
_ANSWER: dict[str, Any] = {
    "recall_number": "RC-2026-000001",
    "consignee_id": 1,
    "at": datetime(2026, 11, 21, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (PassedOnTo, {"name": "Grace Hopper", "kind": "hospital", "phone": "Grace Hopper", "lots": ()}),
        (PageReply, _ANSWER | {"form_id": "form-0001", "responder_name": "Grace Hopper" * 30}),
        (SmsReply, _ANSWER | {"body": ["Grace Hopper"]}),
        (HarmStated, {"severity": "Grace Hopper", "description": "burnt"}),
        (HarmReport, {"number": "RC-2026-000001", "harm": {"description": "burnt", "name": "Grace Hopper"}}),
    ],
)
def test_the_text_of_a_refusal_does_not_quote_what_was_given(model: type[BaseModel], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(values)
    assert "Grace" not in str(refused.value)
