"""Configuration of every process, read from the environment only.

Temporal's own address, namespace, TLS and API key are read by `temporalio.envconfig`
(`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, ...), not here. Whatever has no real address
(`DATABASE_URL`, `TEMPORAL_ADDRESS`, `SMTP_HOST`, `TWILIO_ACCOUNT_SID`) is served by the embedded
stack of `recall up`, which sets these variables for its children.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One frozen value per process; secrets are `SecretStr` so that no log line shows them."""

    model_config = SettingsConfigDict(env_prefix="RECALL_", frozen=True, populate_by_name=True)

    state_dir: Path = Path(".recall")
    """Folder of the embedded stack: databases, caught mail, logs, evidence, development tokens."""

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    """`postgresql://` URL of the application role (`recall_app`)."""
    database_owner_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_OWNER_URL")
    """URL of the role that migrates; defaults to `database_url`."""

    smtp_host: str | None = Field(default=None, validation_alias="SMTP_HOST")
    smtp_port: int = Field(default=25, validation_alias="SMTP_PORT")
    smtp_username: str | None = Field(default=None, validation_alias="SMTP_USERNAME")
    smtp_password: SecretStr | None = Field(default=None, validation_alias="SMTP_PASSWORD")
    smtp_starttls: bool = Field(default=False, validation_alias="SMTP_STARTTLS")
    mail_from: str = "Product Safety <recall@recall.invalid>"
    """From header of notices; its domain also forms the deterministic Message-ID."""
    bounce_address: str | None = None
    """Address that notices come back to, as `name@domain`; each notice gets its own `name+<token>@domain`. Empty: the
    address of `mail_from`."""
    mailbox_maildir: Path | None = None
    """Maildir with the mail that comes back; read where no IMAP server is set."""
    imap_host: str | None = Field(default=None, validation_alias="IMAP_HOST")
    """IMAP server of the mailbox with the mail that comes back; empty means that no mailbox is read."""
    imap_port: int = Field(default=993, ge=1, le=65535, validation_alias="IMAP_PORT")
    """993 is TLS from the first byte; any other port starts with STARTTLS."""
    imap_username: str | None = Field(default=None, validation_alias="IMAP_USERNAME")
    imap_password: SecretStr | None = Field(default=None, validation_alias="IMAP_PASSWORD")
    imap_folder: str = Field(default="INBOX", pattern=r"^[ !#-\[\]-~]{1,200}$", validation_alias="IMAP_FOLDER")
    imap_done_folder: str = Field(
        default="Processed", pattern=r"^[ !#-\[\]-~]{1,200}$", validation_alias="IMAP_DONE_FOLDER"
    )
    """Folder that read mail is moved to; it is made when it is missing."""
    imap_tls: bool = Field(default=True, validation_alias="IMAP_TLS")
    """Whether the server must offer TLS with a valid certificate; false only for a server on this machine."""
    mailbox_seconds: int = Field(default=60, ge=5, le=3600)
    """Real seconds between two looks into the mailbox."""
    mailbox_max_bytes: int = Field(default=25 * 1024 * 1024, ge=65_536, le=100 * 1024 * 1024)
    """Largest mail that is read whole; of a larger one only the beginning, and a person looks at it."""
    mailbox_authserv_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]{1,255}$")
    """Name under which our mail system writes Authentication-Results (RFC 8601); empty: no such field is trusted."""
    stuck_minutes: int = Field(default=30, ge=1, le=1440)
    """Real minutes after which a provider is asked for a message it accepted and never reported on."""

    twilio_account_sid: str | None = Field(default=None, validation_alias="TWILIO_ACCOUNT_SID")
    twilio_auth_token: SecretStr | None = Field(default=None, validation_alias="TWILIO_AUTH_TOKEN")
    twilio_auth_token_previous: SecretStr | None = Field(default=None, validation_alias="TWILIO_AUTH_TOKEN_PREVIOUS")
    """Second token accepted on webhooks while the first is being rotated."""
    twilio_from: str | None = Field(default=None, validation_alias="TWILIO_FROM")
    twilio_voice_from: str | None = Field(default=None, validation_alias="TWILIO_VOICE_FROM")
    """Number (E.164) that calls are made from; without it `twilio_from`, where that is a number."""
    twilio_inbound_numbers: list[str] = Field(default_factory=list, validation_alias="TWILIO_INBOUND_NUMBERS")
    """Numbers (E.164, JSON list) that recipients text to, when `twilio_from` is a messaging service: Twilio's list of
    them is looked through for texts that never reached our webhook. Empty: `twilio_from`, where that is a number."""
    twilio_base_url: str | None = Field(default=None, validation_alias="TWILIO_BASE_URL")
    """Set only for the local stand-in or a contract test; empty means Twilio itself."""

    messaging_adapters: dict[str, str] = Field(default_factory=dict)
    """Channel -> `module:function` of an adapter of one's own, as JSON; the function is given these settings. It takes
    the place of the shipped adapter; a drill never calls it."""

    emails_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most e-mails per second of all worker processes together, as the mail server or provider allows; empty means
    unlimited. Likewise the next four, each in its provider's unit."""
    sms_segments_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Segments, not messages: a text in Chinese has a segment per 67 characters (a long code sends about 1/s)."""
    calls_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    webhook_requests_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    push_messages_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    webhook_keys: dict[str, SecretStr | list[SecretStr]] = Field(default_factory=dict)
    """Key name (`webhook_key` of a contact) -> secret, or both secrets of a rotation with the newer one first, as JSON.
    They sign what recipients' systems get and verify what they answer."""
    webhook_networks: list[str] = Field(default_factory=list)
    """Private networks (CIDR, JSON list) that webhooks may call; public addresses always may be called."""
    webhook_ca_file: Path | None = None
    """Certificates of authorities (PEM) that are trusted beside the usual ones when recipients' systems are called."""
    keeper_feed_seconds: int = Field(default=60, ge=5, le=3600)
    """Real seconds between two looks at what changed at keepers of stock."""
    keeper_ca_file: Path | None = None
    """Certificates of authorities (PEM) that are trusted beside the usual ones when keepers of stock are called."""
    vapid_private_key: SecretStr | None = None
    """Key that identifies us to browsers' push services (RFC 8292): 32 bytes in base64url; without it there is no push.
    A subscription is good for this key only."""
    vapid_subject: str | None = Field(default=None, pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://[^\s]+)$")
    """Whom a push service writes to when something is wrong; defaults to `company_email`."""
    push_networks: list[str] = Field(default_factory=list)
    """Private networks (CIDR, JSON list) with a push service of one's own. Apart from `webhook_networks`: where a push
    goes, any recipient with a link can say."""

    public_url: str = "http://127.0.0.1:8080"
    """Base of links in notices and of webhook signatures; never taken from the request."""
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    link_secret: SecretStr | None = None
    """Key of the recipients' signed links."""
    cursor_secret: SecretStr | None = None
    """Key of pagination cursors; defaults to `link_secret`."""
    company_name: str = "Recall Orchestrator Demo Company"
    """Printed in notices as the recalling firm."""
    home_country: str = Field(default="US", pattern="^[A-Z]{2}$")
    """ISO 3166-1 code of the recalling firm; a recall beyond it is global."""
    reporting_currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    """ISO 4217 code in which stock is valued where approvals depend on value."""
    company_phone: str = "+1 202 555 0100"
    company_email: str = "recall@recall.invalid"
    signing_idle_minutes: int = Field(default=15, ge=1, le=60)
    """Minutes without a signature after which the password is asked for again (21 CFR 11.200(a)(1))."""
    signing_hours: int = Field(default=8, ge=1, le=24)
    """Longest time for which a password given once is good for further signatures, however busy."""
    password_min_length: int = Field(default=12, ge=8, le=64)
    """Fewest characters of a signing password."""
    password_max_days: int = Field(default=365, ge=1, le=3660)
    """Days after which a signing password must be changed (21 CFR 11.300(b))."""
    company_address: str | None = None
    """Postal address of the recalling firm, in documents for authorities; without it the field is listed as missing."""
    return_dock: str | None = None
    """Code of the place of ours that returned goods are sent to; its name and GLN are on return labels."""
    return_address: str | None = None
    """Postal address of that dock, lines parted by a line feed; `company_address` where it is the same."""
    fda_registration: str | None = Field(default=None, pattern=r"^([0-9]{7})?$")
    """Seven-digit registration number in the number of a report under 21 CFR 806; zeros without one."""
    eu_srn: str | None = Field(default=None, pattern=r"^([A-Z]{2}-(MF|AR|IM|PR)-[0-9]{9})?$")
    """Single registration number of the manufacturer (MDR Art. 31)."""
    regulator_transports: dict[str, Literal["manual", "file_drop"]] = Field(default_factory=dict)
    """Jurisdiction -> how documents reach its authority, as JSON; one that is not named: a person sends them."""
    regulator_folder: Path | None = None
    """Folder of the transport `file_drop`: documents are put into `out`, receipts are read from `in`."""
    allow_pace: bool = False
    """Whether a recall may be started with a pace other than 1 (drills and the demo)."""
    evidence_max_bytes: int = Field(default=25 * 1024 * 1024, ge=1)
    """Largest evidence file that is accepted."""
    evidence_s3_bucket: str | None = Field(default=None, pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    """Bucket that keeps evidence files; empty means the folder `evidence` of `state_dir`. Credentials and region come
    from the usual `AWS_*` variables."""
    evidence_s3_endpoint: str | None = None
    """Address of an S3-compatible server; empty means AWS."""
    evidence_s3_prefix: str = ""
    """Begins the name of every object."""

    def own_numbers(self) -> list[str]:
        """The numbers whose incoming texts Twilio is asked for."""
        number = self.twilio_from or ""
        return self.twilio_inbound_numbers or ([number] if number.startswith("+") else [])

    def webhook_secrets(self) -> dict[str, list[str]]:
        """Key name -> its secrets in plain text, for whoever signs and verifies."""
        listed = {name: each if isinstance(each, list) else [each] for name, each in self.webhook_keys.items()}
        return {name: [secret.get_secret_value() for secret in secrets] for name, secrets in listed.items()}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Settings of this process; composition roots call this once, nothing else does."""
    return Settings()
