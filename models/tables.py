"""Every table, imported once so that `SQLModel.metadata` is complete (migrations, tests)."""

from models import access, audit, chain, master, notice, recall, task

__all__ = ["access", "audit", "chain", "master", "notice", "recall", "task"]
