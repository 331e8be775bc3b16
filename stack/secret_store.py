"""Secrets of one state folder: made once, kept in `secrets.json` (0600), handed to children by environment."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from stack.errors import StackError


def _key() -> str:
    return secrets.token_hex(32)


def _signing_key() -> str:
    """A private key on P-256 as RFC 8292 writes it: 32 bytes in base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode("ascii")


@dataclass(frozen=True)
class StackSecrets:
    """Everything that is random about a state folder. All values are ASCII without quotes."""

    stack_id: str = field(default_factory=lambda: secrets.token_hex(16))
    """Marks our children in their environment, so that a lost one is still recognised."""
    pg_admin: str = field(default_factory=_key)
    pg_owner: str = field(default_factory=_key)
    pg_app: str = field(default_factory=_key)
    link_secret: str = field(default_factory=_key)
    cursor_secret: str = field(default_factory=_key)
    twilio_account_sid: str = field(default_factory=lambda: "AC" + secrets.token_hex(16))
    twilio_auth_token: str = field(default_factory=lambda: secrets.token_hex(16))
    vapid_private_key: str = field(default_factory=_signing_key)
    """Who we are to browsers' push services; a subscription is good for this key only."""


def write_private(path: Path, content: str) -> None:
    """Replace a file atomically; only we can read it, before, during and after."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_secrets(state_dir: Path) -> StackSecrets:
    """Secrets of the folder; missing ones are generated and written back.

    Raises:
        StackError: the file exists but cannot be read or understood (it is never overwritten then).
    """
    path = state_dir / "secrets.json"
    known: dict[str, str] = {}
    try:
        if path.exists():
            known = json.loads(path.read_text())
        names = {f.name for f in fields(StackSecrets)}
        loaded = StackSecrets(**{name: value for name, value in known.items() if name in names})
        if asdict(loaded) != known:
            write_private(path, json.dumps(known | asdict(loaded), indent=1))
    except OSError as error:
        raise StackError(f"the secrets in {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError):
        raise StackError(f"the secrets in {path} are damaged; restore the file or remove the state folder") from None
    return loaded
