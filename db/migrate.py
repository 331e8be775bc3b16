"""Alembic from inside the product: one call brings a database to the newest revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(owner_url: str) -> Config:
    """Alembic configuration for the owner's `postgresql://` URL; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = owner_url
    return config


def upgrade(owner_url: str) -> None:
    """Apply every missing migration as the owner role; processes that race wait for each other.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    command.upgrade(alembic_config(owner_url), "head")
