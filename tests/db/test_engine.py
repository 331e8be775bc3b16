"""What a database error may say: the statement, never the values, because its text reaches logs and histories."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import text

from db.engine import SessionFactory

pytestmark = pytest.mark.db
ROOT = Path(__file__).parents[2]
WHO = {"to": "", "address": "nurse@clinic.example"}


async def test_the_text_of_an_error_does_not_quote_its_parameters(db: SessionFactory) -> None:
    query = text("SELECT 1 / length(:to) WHERE CAST(:address AS text) <> ''")
    async with db() as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(query, WHO)
    assert "division by zero" in str(failed.value)
    assert "nurse@clinic.example" not in str(failed.value)


def test_whoever_has_an_engine_knows_every_table_a_foreign_key_leads_to() -> None:
    """In a process of its own: the tests import more than a worker does."""
    script = (
        "import db.engine; from sqlmodel import SQLModel\n"
        "for table in SQLModel.metadata.tables.values():\n"
        "    for key in table.foreign_keys:\n"
        "        key.column\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-500:]
