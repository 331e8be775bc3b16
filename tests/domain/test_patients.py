"""Patient counts are owed where affected product was used and a patient may still come to harm."""

from decimal import Decimal
from typing import Any

import pytest

from domain.patients import follow_up_needed

pytestmark = pytest.mark.unit


def needed(**changes: Any) -> bool:
    given: dict[str, Any] = {
        "kind": "hospital",
        "used": Decimal(3),
        "implantable_used": False,
        "recall_class": "II",
        "depth": "user_facility",
    }
    return follow_up_needed(**(given | changes))


def test_a_hospital_that_used_product_follows_up_where_it_matters() -> None:
    assert not needed()
    assert needed(implantable_used=True)
    assert needed(recall_class="I")
    assert needed(depth="patient")
    assert not needed(recall_class="I", used=Decimal(0))
    assert not needed(recall_class="I", kind="distributor")
