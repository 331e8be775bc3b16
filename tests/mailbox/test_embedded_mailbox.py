"""The mailbox of the embedded stack: the catcher plays the recipients' mail systems; what comes back is taken in."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from adapters.mailbox.factory import build_mailbox
from adapters.messaging.factory import build_adapters
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from domain.return_path import ReturnPath
from settings import Settings
from stack import mail_catcher
from stack.environment import wire
from stack.options import Ports, StackOptions
from stack.parts import application_parts
from stack.secret_store import load_secrets
from tests.campaign.world import SECRET, Person
from tests.mailbox.conftest import Office
from tests.messaging.builders import mail
from tests.messaging.conftest import Catcher, free_port, running

pytestmark = pytest.mark.db
FROM = "Recall <recall@firm.example>"


@pytest.fixture
async def returning(tmp_path: Path) -> AsyncIterator[Catcher]:
    """The catcher as `recall up` starts it: with a Maildir for what comes back."""
    smtp, http = free_port(), free_port()
    environment = {
        "RECALL_SMTP_PORT": str(smtp),
        "RECALL_INBOX_PORT": str(http),
        "RECALL_STATE_DIR": str(tmp_path),
        "RECALL_MAILBOX_MAILDIR": str(tmp_path / "mail" / "returned"),
        "RECALL_MAIL_FROM": FROM,
    }
    url = f"http://127.0.0.1:{http}"
    async with (
        running(lambda stop: mail_catcher.serve(stop, environment), url),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield Catcher(smtp, url, client)


def settings(catcher: Catcher, folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "smtp_host": "127.0.0.1",
            "smtp_port": catcher.smtp_port,
            "mail_from": FROM,
            "link_secret": SECRET,
            "mailbox_maildir": folder / "mail" / "returned",
            "imap_host": None,
        }
    )


async def notice_to(office: Office, catcher: Catcher, folder: Path, address: str) -> None:
    """A notice over real SMTP with the adapters that the settings give; then what came back is collected."""
    given = settings(catcher, folder)
    office.mailbox = build_mailbox(given)
    office.reconfigure(path=ReturnPath(SECRET, "recall@firm.example"))
    adapters = build_adapters(given)
    office.world.consignee("One", Person(address, "+254700000001", channels=("email", "sms")))
    await office.hand.advance()
    honest = office.hand.mail
    office.hand.mail = next(iter(adapters.values()))  # type: ignore[assignment]
    await office.hand.send("email")
    office.hand.mail = honest
    for adapter in adapters.values():
        await adapter.close()
    await office.collect()


@pytest.mark.parametrize(
    ("address", "state", "contact", "mails"),
    [
        ("undeliverable.1@hospital.example", "failed", "unverified", [("report", "system", "dead")]),
        ("mailbox-full@hospital.example", "failed", "unverified", [("report", "system", "not_delivered")]),
        ("delayed@hospital.example", "submitted", "unverified", [("report", "system", "delayed")]),
        ("out-of-office@hospital.example", "submitted", "unverified", [("automatic", "system", "auto_reply")]),
        ("stores@hospital.example", "submitted", "unverified", []),
    ],
)
async def test_each_kind_of_address_comes_back_as_told(
    office: Office,
    returning: Catcher,
    tmp_path: Path,
    address: str,
    state: str,
    contact: str,
    mails: list[tuple[str, str, str]],
) -> None:
    await notice_to(office, returning, tmp_path, address)
    assert office.mails() == mails
    assert office.world.one("SELECT state FROM delivery") == state
    assert office.world.one("SELECT status FROM contact") == contact


async def test_whoever_answers_a_caught_notice_is_heard(office: Office, returning: Catcher, tmp_path: Path) -> None:
    await notice_to(office, returning, tmp_path, "stores@hospital.example")
    (notice,) = await returning.messages(to="stores@hospital.example")
    headers = notice["headers"]
    assert isinstance(headers, dict)
    answer = f"From: stores@hospital.example\r\nTo: {headers['Reply-To']}\r\nSubject: Re: recall\r\n\r\n2\r\n"
    await aiosmtplib.send(
        answer.encode(),
        sender="stores@hospital.example",
        recipients=[headers["Reply-To"]],
        hostname="127.0.0.1",
        port=returning.smtp_port,
        start_tls=False,
    )
    await office.collect()
    assert office.mails() == [("person", "contact", "reply")]
    assert office.world.rows("SELECT channel, kind, affected FROM reply") == [
        {"channel": "email", "kind": "acknowledgement", "affected": False}
    ]


async def test_the_catcher_still_refuses_bounce_addresses_that_are_not_ours(returning: Catcher) -> None:
    adapter = SmtpEmailAdapter(SmtpConfig("127.0.0.1", returning.smtp_port, FROM))
    with pytest.raises(Exception, match="no such mailbox"):
        await adapter.send(mail(to="bounce@hospital.example"))
    await adapter.close()


def options(folder: Path) -> StackOptions:
    return StackOptions(folder, Ports())


def test_recall_up_gives_a_mailbox_and_shows_where_it_lies(tmp_path: Path) -> None:
    wiring = wire(options(tmp_path), load_secrets(tmp_path), {})
    assert wiring.environment["RECALL_MAILBOX_MAILDIR"] == str(tmp_path / "mail" / "returned")
    parts = {part.name: part.address for part in application_parts(options(tmp_path), wiring)}
    assert parts["mail"].endswith(f"returned mail in {tmp_path / 'mail' / 'returned'})")
    assert "mailbox" not in parts


@pytest.mark.parametrize(
    "given", [{"SMTP_HOST": "mail.firm.example"}, {"IMAP_HOST": "imap.firm.example"}, {"RECALL_MAILBOX_MAILDIR": "/x"}]
)
def test_what_the_operator_has_set_wins(tmp_path: Path, given: dict[str, str]) -> None:
    wiring = wire(options(tmp_path), load_secrets(tmp_path), given)
    assert "RECALL_MAILBOX_MAILDIR" not in wiring.environment
    parts = {part.name: part.address for part in application_parts(options(tmp_path), wiring)}
    assert parts.get("mailbox") == ("imap.firm.example:993" if "IMAP_HOST" in given else None)
