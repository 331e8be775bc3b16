"""Upserts: one event for what changed, none for what did not, and nothing stale after continue-as-new."""

import pytest

from workflows import search_attributes as sa

pytestmark = pytest.mark.unit


def test_only_changes_are_upserted() -> None:
    upserts = sa.Upserts()
    assert len(upserts.changed({sa.RECALL_PHASE: "intake", sa.WAITING_FOR: None})) == 1
    assert upserts.changed({sa.RECALL_PHASE: "intake", sa.WAITING_FOR: None}) == []
    assert len(upserts.changed({sa.RECALL_PHASE: "assessment", sa.WAITING_FOR: "x"})) == 2


def test_a_continued_run_removes_what_it_no_longer_has() -> None:
    [removed] = sa.Upserts(continued=True).changed({sa.WAITING_FOR: None})
    assert removed.value is None


def test_the_attributes_stay_within_the_limits_of_sql_visibility() -> None:
    kinds = [key.indexed_value_type for key in sa.ALL]
    assert len({key.name for key in sa.ALL}) == len(sa.ALL)
    limits = {1: 3, 2: 10, 3: 3, 4: 3, 5: 3, 6: 3, 7: 3}  # text, keyword, int, double, bool, datetime, keyword list
    assert all(kinds.count(kind) <= limits[int(kind)] for kind in set(kinds))
