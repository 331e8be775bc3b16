"""Random failures during a campaign, counted from outside: `python -m tests.chaos` and its small form in CI."""
