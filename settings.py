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

    twilio_account_sid: str | None = Field(default=None, validation_alias="TWILIO_ACCOUNT_SID")
    twilio_auth_token: SecretStr | None = Field(default=None, validation_alias="TWILIO_AUTH_TOKEN")
    twilio_auth_token_previous: SecretStr | None = Field(default=None, validation_alias="TWILIO_AUTH_TOKEN_PREVIOUS")
    """Second token accepted on webhooks while the first is being rotated."""
    twilio_from: str | None = Field(default=None, validation_alias="TWILIO_FROM")
    twilio_base_url: str | None = Field(default=None, validation_alias="TWILIO_BASE_URL")
    """Set only for the local stand-in or a contract test; empty means Twilio itself."""

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


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Settings of this process; composition roots call this once, nothing else does."""
    return Settings()
