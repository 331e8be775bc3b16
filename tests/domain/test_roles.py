"""Roles and permissions: everything is reachable, separation of duties holds."""

import pytest

from domain.roles import (
    HEADS,
    PERMISSIONS,
    Permission,
    Role,
    may,
    permissions_of,
    roles_with,
    violates_four_eyes,
)

pytestmark = pytest.mark.unit


def test_every_role_has_a_row_and_every_permission_belongs_to_a_role() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert permissions_of(Role) == frozenset(Permission)


def test_an_auditor_can_read_and_take_the_record_with_him_and_nothing_else() -> None:
    assert permissions_of([Role.AUDITOR]) == {Permission.READ, Permission.READ_AUDIT, Permission.EXPORT_DOSSIER}


def test_an_admin_decides_nothing_about_a_recall() -> None:
    deciding = {
        Permission.START_RECALL,
        Permission.DECIDE_ASSESSMENT,
        Permission.APPROVE_NOTICE,
        Permission.PASS_GATE,
        Permission.WAIVE_GATE,
        Permission.RELEASE_HOLD,
        Permission.SIGN_STRATEGY_QUALITY,
    }
    assert not permissions_of([Role.ADMIN]) & deciding


def test_no_single_function_both_starts_and_decides_a_recall() -> None:
    for role in set(Role) - set(HEADS.values()):  # a head may do both, on different recalls: four eyes is about persons
        assert not (may([role], Permission.START_RECALL) and may([role], Permission.DECIDE_ASSESSMENT))


def test_no_single_role_signs_the_strategy_twice() -> None:
    both = (Permission.SIGN_STRATEGY_QUALITY, Permission.SIGN_STRATEGY_REGULATORY)
    assert not any(all(may([role], item) for item in both) for role in Role)


def test_only_a_medical_assessor_records_the_evaluation() -> None:
    assert roles_with(Permission.RECORD_EVALUATION) == (Role.MEDICAL,)


def test_roles_add_up_and_no_role_may_nothing() -> None:
    assert may([Role.WAREHOUSE, Role.MEDICAL], Permission.RECORD_EVALUATION)
    assert not may([], Permission.READ)


def test_every_function_that_gets_tasks_has_a_head_who_may_do_them() -> None:
    assert set(HEADS) == set(Role) - {Role.AUDITOR, Role.FINANCE, Role.ADMIN}
    for role, head in HEADS.items():
        assert HEADS[head] == head
        assert permissions_of([role]) - permissions_of([head]) <= {Permission.RECORD_EVALUATION}


def test_only_the_head_of_quality_signs_for_what_stays_unaccounted() -> None:
    assert roles_with(Permission.SIGN_UNACCOUNTED) == (Role.HEAD_OF_QUALITY,)


def test_no_head_signs_for_quality_and_for_regulatory_affairs() -> None:
    both = (Permission.COMPLETE_QUALITY, Permission.COMPLETE_REGULATORY)
    assert not any(all(may([head], item) for item in both) for head in HEADS.values())


@pytest.mark.parametrize(
    ("proposer", "decider", "violates"),
    [("ana", "ben", False), ("ana", " Ana ", True), ("", "ben", True), ("ana", " ", True)],
)
def test_four_eyes_means_two_known_and_different_people(proposer: str, decider: str, violates: bool) -> None:
    assert violates_four_eyes(proposer, decider) is violates
