"""How long silence may last before the trace calls it a gap."""

from datetime import timedelta

STALE_AFTER = timedelta(days=90)
"""A site holding traced product whose last data is older than this before the newest data is a gap."""

MOST_ROWS = 50_000
"""Rows (lots, or lots at places and gaps) of an answer that is held in memory for whoever asks over HTTP."""

ARRIVAL_MARGIN = timedelta(days=30)
"""Goods without a lot that arrive this long after the last known movement may still be of a traced lot."""
