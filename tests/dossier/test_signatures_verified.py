"""`recall audit verify` finds whatever was changed in a signature, in what it is under, and in what was signed."""

import json

import psycopg
import pytest
from sqlmodel import col, select

from activities.market_actions import MarketActionActivities
from db.repositories import assessment, audit, market_actions
from models.messages import Actor
from models.recall import SignOff
from tests.activities.conftest import NOW, NUMBER, decision
from tests.api.test_token_commands import call
from tests.dossier.conftest import World
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow

CHANGES = {
    "the signer": "UPDATE signature SET principal = 'mallory' WHERE operation = 'approve_assessment'",
    "the printed name": "UPDATE signature SET printed_name = 'Mallory' WHERE operation = 'approve_assessment'",
    "the meaning": "UPDATE signature SET meaning = meaning || '.' WHERE operation = 'approve_assessment'",
    "the instant": "UPDATE signature SET signed_at = signed_at + interval '1 microsecond'",
    "the recall": "UPDATE signature SET recall_number = 'RC-2026-000002' WHERE operation = 'approve_assessment'",
    "one byte of what was signed": "UPDATE signature SET document = jsonb_set(document, '{stated,proposal_id}', '77')",
    "the hash": "UPDATE signature SET sha256 = translate(sha256, '0123456789', '1234567890')",
    "a signature taken away": "DELETE FROM signature WHERE operation = 'approve_notice'",
    "a signature added": "INSERT INTO signature SELECT gen_random_uuid(), recall_number, principal, printed_name, role,"
    " meaning, operation, signed_at, document, sha256, token_id, session_id FROM signature LIMIT 1",
    "who signed off": "UPDATE sign_off SET actor = 'mallory' WHERE step = 'assessment'",
    "why": "UPDATE sign_off SET reason = 'another' WHERE step = 'assessment'",
    "the body": "UPDATE sign_off SET body = body || '{\"x\": 1}' WHERE step = 'notice'",
    "a sign-off without a signature": "UPDATE sign_off SET signature_id = NULL WHERE step = 'notice'",
    "a sign-off taken away": "DELETE FROM sign_off WHERE step = 'notice'",
    "a sign-off that nobody gave": "INSERT INTO sign_off (recall_number, step, outcome, actor, role, meaning, body,"
    " signed_at, signature_id) SELECT recall_number, 'gate:x', outcome, actor, role, meaning, body, signed_at,"
    " signature_id FROM sign_off LIMIT 1",
    "a signature under another decision": "UPDATE sign_off SET signature_id = (SELECT signature_id FROM sign_off"
    " WHERE step = 'assessment') WHERE step = 'notice'",
    "the assessor": "UPDATE hazard_evaluation SET assessor = 'mallory'",
    "the evaluation": "UPDATE hazard_evaluation SET body = jsonb_set(body, '{evaluation,seriousness,rationale}', '1')",
    "the approver of the notice": "UPDATE notice SET approved_by = 'mallory'",
    "the notice": "UPDATE notice_body SET sha256 = translate(sha256, '0123456789', '1234567890')",
    "who decided the class": "UPDATE class_decision SET decided_by = 'mallory' WHERE kind = 'approved'",
    "the reasons of the class": "UPDATE class_decision SET reasons = '[]'",
    "the policy": "UPDATE pinned_policy SET sha256 = translate(sha256, '0123456789', '1234567890')",
}


async def test_whatever_is_changed_behind_the_products_back_is_found(world: World, postgres: PostgresForTests) -> None:
    code, printed, _ = await call(postgres.app_url, "audit", "verify", NUMBER, "--json")
    assert code == 0, printed
    assert json.loads(printed)["signatures"] == 3, "evaluation, class, notice"
    for what, statement in CHANGES.items():
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            admin.execute("SET session_replication_role = replica")
            before = _copied(admin)
            assert admin.execute(statement).rowcount > 0, what
            code, printed, _ = await call(postgres.app_url, "audit", "verify", NUMBER, "--json")
            _restore(admin, before)
        found = json.loads(printed)
        assert (code, found["intact"], found["first_broken"]) == (1, False, None), what
        assert found["signature_faults"], what
    code, printed, _ = await call(postgres.app_url, "audit", "verify", NUMBER)
    assert code == 0
    assert "3 signatures, each as it was made" in printed


async def test_a_signed_market_action_and_the_signed_review_of_its_justification_are_bound_to_their_signatures(
    world: World, postgres: PostgresForTests
) -> None:
    activity = MarketActionActivities(world.sessions)
    regi, hugo = Actor(principal="regi", roles=("regulatory",)), Actor(principal="hugo", roles=("head_of_regulatory",))
    line = {"product_line": "kits", "jurisdiction": "us-fda"}
    stated = line | {"action": "market_withdrawal", "justification": "Carton only.", "conclusions": "Not reportable."}
    await world.case.run(activity.record_market_actions, decision("record_market_actions", regi, 3, actions=[stated]))
    async with world.sessions() as session:
        written = (await market_actions.latest(session, NUMBER))[-1]
    judged = line | {"market_action_id": written.id, "evaluation": "Conclusions follow.", "outcome": "accepted"}
    review = decision("review_market_action", hugo, 4, **judged)
    await world.case.run(activity.record_market_action_review, review)
    code, printed, _ = await call(postgres.app_url, "audit", "verify", NUMBER, "--json")
    assert code == 0, printed
    assert json.loads(printed)["signatures"] == 5
    async with world.sessions() as session:
        query = select(SignOff.signature_id).where(col(SignOff.step).startswith("market_action"))
        signatures = {str(each) for each in (await session.exec(query)).all()}
        events = await audit.read(session, NUMBER)
    acts = {event.data.get("signature") for event in events if event.action.startswith("market_action.")}
    assert acts == signatures
    assert len(signatures) == 2


def test_a_sign_off_takes_no_field_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="signature_id"):
        assessment.sign_off(  # type: ignore[call-arg]
            NUMBER, "gate:x", "passed", actor="ada", role="approver", meaning="x", at=NOW, signature_id="lost"
        )


_TABLES = ("signature", "sign_off", "hazard_evaluation", "notice", "notice_body", "class_decision", "pinned_policy")


def _copied(admin: psycopg.Connection) -> tuple[str, ...]:
    for table in _TABLES:
        admin.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
    return _TABLES


def _restore(admin: psycopg.Connection, tables: tuple[str, ...]) -> None:
    for table in tables:
        admin.execute(f"DELETE FROM {table}")  # noqa: S608 - names of this file
        admin.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608
        admin.execute(f"DROP TABLE kept_{table}")
