"""How long silence may last before the trace calls it a gap."""

from datetime import timedelta

STALE_AFTER = timedelta(days=90)
"""A site holding traced product whose last data is older than this before the newest data is a gap."""

ARRIVAL_MARGIN = timedelta(days=30)
"""Goods without a lot that arrive this long after the last known movement may still be of a traced lot."""
