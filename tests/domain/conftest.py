"""The three regulation profiles, parsed once."""

import pytest

from domain.policy import Policy
from tests.domain.factories import POLICY_IDS, load_policy


@pytest.fixture(scope="session")
def policies() -> dict[str, Policy]:
    return {policy_id: load_policy(policy_id) for policy_id in POLICY_IDS}
