"""What a database error may say: the statement, never the values, because its text reaches logs and histories."""

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import text

from db.engine import SessionFactory

pytestmark = pytest.mark.db
WHO = {"to": "", "address": "nurse@clinic.example"}


async def test_the_text_of_an_error_does_not_quote_its_parameters(db: SessionFactory) -> None:
    query = text("SELECT 1 / length(:to) WHERE CAST(:address AS text) <> ''")
    async with db() as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(query, WHO)
    assert "division by zero" in str(failed.value)
    assert "nurse@clinic.example" not in str(failed.value)
