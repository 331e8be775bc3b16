"""The import office over an emptied database."""

from pathlib import Path

import pytest

from db.engine import SessionFactory
from tests.imports.office import Office
from tests.support.servers import PostgresForTests


@pytest.fixture
def office(tmp_path: Path, clean_db: PostgresForTests, sessions: SessionFactory) -> Office:
    """A desk with an empty record."""
    return Office(tmp_path, clean_db, sessions)
