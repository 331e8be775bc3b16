"""A recall row as intake leaves it, for tests of what comes after."""

import json

import psycopg

from tests.support.chain import START


def write_recall(url: str, number: str = "RC-2026-000001", phase: str = "assessment") -> str:
    """Insert one recall and return its number."""
    with psycopg.connect(url) as db:
        db.execute(
            "INSERT INTO recall (number, title, reason, hazard, trigger_source, awareness_at, jurisdictions, suspect, "
            "drill, pace, owner, started_by, created_at, phase, phase_since, scope_version, version) "
            "VALUES (%s, 'Test', 'r', 'h', 'complaint', %s, '{us-fda}', %s, false, 1, 'qa', 'qa', %s, %s, %s, 0, 0)",
            [number, START, json.dumps({}), START, phase, START],
        )
    return number
