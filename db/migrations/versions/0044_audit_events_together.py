"""the head of an audit chain moves over several events at once, when they are there and end with its hash

Revision: 0044, after: 0043
"""

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refuse_jump() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Every number up to the new one is an event, the first follows the old head, the last has the new hash.
            IF NEW.stream IS DISTINCT FROM OLD.stream OR NEW.seq <= OLD.seq
               OR (SELECT count(*) FROM audit_event
                   WHERE stream = OLD.stream AND seq > OLD.seq AND seq <= NEW.seq) <> NEW.seq - OLD.seq
               OR NOT EXISTS (SELECT FROM audit_event
                              WHERE stream = OLD.stream AND seq = OLD.seq + 1 AND prev_hash = OLD.hash)
               OR NOT EXISTS (SELECT FROM audit_event
                              WHERE stream = OLD.stream AND seq = NEW.seq AND hash = NEW.hash)
            THEN
                RAISE EXCEPTION 'the head of an audit chain moves with its events: % to % refused', OLD.seq, NEW.seq
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refuse_jump() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.stream IS DISTINCT FROM OLD.stream OR NEW.seq <> OLD.seq + 1 THEN
                RAISE EXCEPTION 'the head of an audit chain moves by one event: % to % refused', OLD.seq, NEW.seq
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
        """
    )
