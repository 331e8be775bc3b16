"""Keepers of stock as the API shows them."""

from datetime import datetime

from db.repositories.keepers import feed_of
from domain.keepers import LEDGER, KeeperAuth, KeeperState, lag, reachable
from models.keeper import Keeper, KeeperSkip
from models.schemas_keepers import KeeperHealth, KeeperOut, SkippedOut


def ledger_out() -> KeeperOut:
    """Our own ledger: always there, it is the same database."""
    return KeeperOut(
        code=LEDGER,
        kind="ledger",
        name="Our own stock ledger",
        state=KeeperState.ACTIVE,
        base_url=None,
        database=None,
        auth=None,
        credential_variable=None,
        webhook_variable=None,
        per_second=None,
        timeout_seconds=None,
        give_up_seconds=None,
        places=None,
        health=None,
    )


def keeper_out(row: Keeper, places: int, skipped: int, now: datetime) -> KeeperOut:
    """A keeper on record with how it fares at `now`."""
    feed = feed_of(row)
    age = lag(feed, now)
    return KeeperOut(
        code=row.code,
        kind="http" if row.kind == "http" else "tryton",
        name=row.name,
        state=KeeperState(row.state),
        base_url=row.base_url,
        database=row.database,
        auth=KeeperAuth(row.auth),
        credential_variable=row.credential_variable,
        webhook_variable=row.webhook_variable,
        per_second=row.per_second,
        timeout_seconds=row.timeout_seconds,
        give_up_seconds=row.give_up_seconds,
        places=places,
        health=KeeperHealth(
            reachable=reachable(feed),
            failures=feed.failures,
            lag_seconds=age.total_seconds() if age is not None else None,
            read_at=feed.read_at,
            last_success_at=feed.last_success_at,
            last_failure_at=feed.last_failure_at,
            last_error=feed.last_error,
            rows_skipped=skipped,
        ),
    )


def skipped_out(row: KeeperSkip) -> SkippedOut:
    """A row of an answer that could not be taken."""
    return SkippedOut(**row.model_dump(exclude={"id", "keeper_code"}))


__all__ = ["keeper_out", "ledger_out", "skipped_out"]
