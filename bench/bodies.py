"""The notice that benchmarks send: approved bodies with the files that drafting encloses in them.

Without letter, sheet and code an e-mail would be a sixth of what recipients get, and nothing of it their own.
"""

import asyncio
import json
from pathlib import Path

from activities.enclosures import enclose
from domain.channels import Channel
from domain.notice_body import ApprovedBody
from tests.campaign.world import World, build
from tests.messaging.notices import AMENDED

_TEMPLATES = Path(__file__).parents[1] / "templates" / "notices"


def recall_with_notice(url: str) -> World:
    """The tests' recall without consignees, its e-mails complete."""
    world = build(url)
    rows = world.rows("SELECT id, body FROM notice_body WHERE channel = %s", Channel.EMAIL.value)
    bodies = [ApprovedBody.from_json(row["body"]) for row in rows]
    for row, body in zip(rows, asyncio.run(enclose(bodies, AMENDED, _TEMPLATES)), strict=True):
        stored = json.dumps(body.as_json())
        world.run("UPDATE notice_body SET body = %s, sha256 = %s WHERE id = %s", stored, body.sha256, row["id"])
    return world


__all__ = ["recall_with_notice"]
