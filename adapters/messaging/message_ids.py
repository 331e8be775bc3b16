"""The identity an e-mail keeps over every attempt: its Message-ID is made of the delivery's id and our domain.

A resend after a lost answer therefore carries the same Message-ID, so that mail systems and readers can tell
it from a second notice.
"""

from email.utils import parseaddr
from functools import lru_cache
from uuid import UUID


@lru_cache(maxsize=16)
def mail_domain(mail_from: str) -> str:
    """Domain of a From header such as `Product Safety <recall@example.com>`.

    Raises:
        ValueError: the header carries no address with a domain.
    """
    address = parseaddr(mail_from)[1]
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        raise ValueError("RECALL_MAIL_FROM: expected an address such as 'Product Safety <recall@example.com>'")
    return domain


def message_id_for(delivery_id: UUID, mail_from: str) -> str:
    """`<{delivery_id}@{domain}>`, the same for every attempt of one delivery."""
    return f"<{delivery_id}@{mail_domain(mail_from)}>"
