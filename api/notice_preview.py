"""A message as one recipient would get it, with its files, made of the stored bodies by the code that sends it."""

import base64
from dataclasses import dataclass, replace
from uuid import UUID

from db.repositories.notice_preview import Sample
from documents.notice_files import CODE_ID, Enclosures
from domain.attachment import Attachment
from domain.channels import Channel
from domain.notice_body import ApprovedBody, Rendered, fill
from domain.notice_enclosure import MACHINE_FILE
from models.notice import NoticeBody

_NOBODY = UUID(int=0)
"""Delivery of a message that nobody gets."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """The message of one recipient."""

    sample: Sample
    filled: Rendered
    files: tuple[Attachment, ...]


def previewed(sample: Sample, owner: NoticeBody | None) -> Previewed:
    """The body filled in, and its files.

    Args:
        owner: the body whose letter goes out with this one, where that is another.

    Raises:
        BodyError, ValueError, KeyError: something stored is not what was drafted.
    """
    body = ApprovedBody.from_json(sample.body.body)
    enclosures = Enclosures([body, *([ApprovedBody.from_json(owner.body)] if owner else [])])
    filled = fill(body, sample.values)
    machine = enclosures.machine(body, sample.values, _NOBODY, filled)
    if body.channel == Channel.WEBHOOK:
        document = (Attachment(MACHINE_FILE, "application/json", machine),) if machine is not None else ()
        return Previewed(sample, filled, document)
    files = enclosures.files(body, sample.values, machine)
    return Previewed(sample, replace(filled, html=_with_pictures(filled.html, files)), files)


def _with_pictures(html: str | None, files: tuple[Attachment, ...]) -> str | None:
    """What a mail program shows in place of `cid:`; a browser cannot look into the other parts of a message."""
    for file in files:
        if html is not None and file.content_id == CODE_ID:
            shown = f"data:{file.content_type};base64,{base64.b64encode(file.content).decode('ascii')}"
            html = html.replace(f'src="cid:{CODE_ID}"', f'src="{shown}"')
    return html


__all__ = ["Previewed", "previewed"]
