"""Engine, repositories (all SQL lives here) and Alembic migrations."""
