"""Parts of long migrations; Alembic looks for revisions in `versions` only, whose files call these in their order.

They are history like the revisions: once released, a step is never changed.
"""
