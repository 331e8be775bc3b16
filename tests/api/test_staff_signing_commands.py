"""`recall staff train|untrained|unlock|password`: what people need before they sign, from the command line."""

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.engine import SessionFactory
from db.repositories import audit, policy_versions, signing_accounts, tokens, training
from db.repositories.policy_versions import Shipped
from db.repositories.signing_accounts import By, Checked
from domain.policy import parse_policy
from domain.roles import Role
from models.policy_version import PolicyVersion
from tests.api.test_token_commands import call
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
POLICIES = Path(__file__).parents[2] / "policies"
BY = By("tests", "admin", datetime(2026, 11, 20, tzinfo=UTC))


async def in_force(db: SessionFactory, *names: str) -> None:
    """Shipped profiles as a worker enters them."""
    texts = [(POLICIES / f"{name}.yaml").read_text(encoding="utf-8") for name in names]
    async with db.begin() as session:
        shipped = [Shipped(parse_policy(text), text) for text in texts]
        await policy_versions.seed(session, shipped, datetime.now(UTC) - timedelta(days=1))


async def test_training_is_recorded_listed_and_missing_where_there_is_none(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    await in_force(db, "us-fda", "eu-mdr")
    async with db.begin() as session:
        for person, role in (("Ana", Role.QA), ("Audrey", Role.AUDITOR)):
            await tokens.create(session, principal=person, name="t", roles=[role], actor="tests", now=datetime.now(UTC))
    train = ["staff", "train", "Ana", "--policy", "us-fda", "--version", "1", "--evidence", "TR-7", "--by", "Hana"]
    assert await call(postgres.app_url, *train) == (0, "Ana: us-fda version 1: recorded\n", "")
    assert (await call(postgres.app_url, *train))[1] == "Ana: us-fda version 1: on record already\n"
    async with db() as session:
        assert [row.recorded_by for row in await training.listed(session)] == ["Hana"]
        [event] = [each for each in await audit.read(session, audit.SYSTEM) if each.action == "training.recorded"]
    assert (event.actor, event.data["typed_by"]) == ("Hana", getpass.getuser())
    code, printed, _ = await call(postgres.app_url, "staff", "untrained", "--json")
    assert code == 0
    expected = {"principal": "Ana", "policy_id": "eu-mdr", "version": 1, "trained_version": None}
    assert json.loads(printed) == [expected], "an auditor signs nothing"
    assert "Ana: eu-mdr version 1: not trained" in (await call(postgres.app_url, "staff", "untrained"))[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "US", "--version", "1", "--evidence", "x"], "policy_id"),
        (["--policy", "us-fda", "--version", "1", "--evidence", ""], "evidence"),
        (["--policy", "us-fda", "--version", "1", "--evidence", "x", "--on", "2099-01-01"], "--on"),
        (["--policy", "us-fda", "--version", "1000000", "--evidence", "x"], "expected one of 1"),
        (["--policy", "us-fda", "--version", "2", "--evidence", "x"], "no approved version 2 of us-fda"),
        (["--policy", "xx-law", "--version", "1", "--evidence", "x"], "version 1 of xx-law; it has none"),
        (["--policy", "us-fda", "--version", "1", "--evidence", "x", "--by", " "], "--by"),
        (["--policy", "us-fda", "--version", "1", "--evidence", "x", "--by", " ANA"], "another person"),
    ],
)
async def test_a_training_that_cannot_be_is_refused_in_one_line(
    db: SessionFactory, postgres: PostgresForTests, arguments: list[str], said: str
) -> None:
    await in_force(db, "us-fda")
    async with db.begin() as session:
        row = await policy_versions.find(session, "us-fda", 1)
        assert row is not None
        draft = row.model_dump() | {"version": 2, "state": "draft", "in_force_from": None}
        session.add(PolicyVersion(**draft))
    code, printed, errors = await call(postgres.app_url, "staff", "train", "Ana", "--by", "Hana", *arguments)
    assert (code, printed, said in errors) == (2, "", True)
    assert errors.count("\n") == 1
    async with db() as session:
        assert await training.listed(session) == []


async def test_nobody_records_the_own_training(db: SessionFactory, postgres: PostgresForTests) -> None:
    await in_force(db, "us-fda")
    how = ["--policy", "us-fda", "--version", "1", "--evidence", "x"]
    own = ["staff", "train", getpass.getuser().upper(), *how]
    code, _, errors = await call(postgres.app_url, *own, "--by", "Hana")
    assert (code, "another person" in errors) == (2, True), "typed in by the one who was trained"
    code, _, errors = await call(postgres.app_url, "staff", "train", "Ana", *how)
    assert (code, "--by" in errors) == (2, True), "somebody has to vouch for it"


async def test_a_locked_person_is_unlocked_with_a_reason_and_every_step_is_in_the_audit(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    async with db.begin() as session:
        await signing_accounts.set_password(session, "Ana", "a password of ana's", BY, initial=False)
    found = []
    for _ in range(5):
        async with db.begin() as session:
            found.append(await signing_accounts.check(session, "Ana", "wrong", BY))
    assert found == [Checked.wrong] * 4 + [Checked.locked]
    code, _, errors = await call(postgres.app_url, "staff", "unlock", "Ben", "--reason", "x")
    assert (code, "not locked out" in errors) == (2, True)
    assert (await call(postgres.app_url, "staff", "unlock", "Ana", "--reason", "She called."))[0] == 0
    async with db.begin() as session:
        assert await signing_accounts.check(session, "Ana", "a password of ana's", BY) == Checked.right
        actions = [event.action for event in await audit.read(session, audit.SYSTEM)]
    wrong = ["signing.wrong_password"] * 4
    assert actions == ["signing.password_set", *wrong, "signing.locked_out", "signing.unlocked"]
    code, printed, _ = await call(postgres.app_url, "audit", "verify", "system")
    assert (code, "every link holds" in printed) == (0, True)
