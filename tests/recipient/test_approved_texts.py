"""What the recipient page says of reason and hazard is what was released and sent, in the page's language."""

import json

import httpx
import pytest
import pytest_asyncio

from activities.enclosures import enclose
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from domain.channels import Channel
from domain.notice_content import NoticeContext, NoticeKind
from tests.api.test_recipient_page import Recipient
from tests.campaign.world import NUMBER, T0, Person, World
from tests.messaging.notices import CONTEXT

pytestmark = pytest.mark.db
RENDERER = NoticeRenderer()
APPROVED = CONTEXT.model_copy(update={"translations": {"zh-CN": CONTEXT.translations["zh-CN"]}})
"""English with a Chinese translation; Spanish recipients get the original."""


async def release(world: World, notice: int, context: NoticeContext, channel: Channel = Channel.WEBHOOK) -> None:
    """The notice is approved with bodies in every language that hold these facts."""
    world.run("DELETE FROM notice_body WHERE notice_id = %s", notice)
    bodies = [
        RENDERER.render_for_approval(NoticeKind.INITIAL, channel, language, context)
        for language in ("en", "es", "zh-CN")
    ]
    for body in await enclose(bodies, context, TEMPLATES):
        world.run(
            "INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256)"
            " VALUES (%s,'initial',%s,%s,%s,%s)",
            *(notice, channel.value, body.language, json.dumps(body.as_json()), body.sha256),
        )
    world.run("UPDATE notice SET approved_by = 'approver', approved_at = %s WHERE id = %s", T0, notice)


@pytest_asyncio.fixture
async def mercy(world: World, http: httpx.AsyncClient) -> Recipient:
    """A consignee of a recall whose notice was released and sent."""
    await release(world, world.notice_id, APPROVED)
    return Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))


async def test_a_hazard_softened_after_the_release_is_shown_on_no_page(mercy: Recipient, world: World) -> None:
    world.run("UPDATE recall SET hazard = 'Hardly any.', reason = 'A label.' WHERE number = %s", NUMBER)
    page = (await mercy.open()).text
    assert APPROVED.texts.hazard in page
    assert APPROVED.texts.reason in page
    assert "Hardly any." not in page
    assert "A label." not in page


async def test_the_page_shows_the_approved_translation_and_names_the_language_of_an_original(mercy: Recipient) -> None:
    chinese = (await mercy.open(lang="zh-CN")).text
    assert APPROVED.translations["zh-CN"].hazard in chinese
    assert APPROVED.texts.hazard not in chinese
    assert "（原文）" not in chinese
    spanish = (await mercy.open(lang="es")).text
    assert f'<p class="free" lang="en">{APPROVED.texts.hazard} (texto original)</p>' in spanish


async def test_an_amended_notice_changes_the_page_once_it_is_sent(mercy: Recipient, world: World) -> None:
    assert APPROVED.texts.hazard in (await mercy.open()).text
    worse = APPROVED.model_copy(update={"texts": APPROVED.texts.model_copy(update={"hazard": "Death within hours."})})
    notice = world.one(
        "INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at, change)"
        " VALUES (%s,2,'amendment',%s,'qa',%s,'{}') RETURNING id",
        *(NUMBER, "1" * 64, T0),
    )
    await release(world, notice, worse)
    assert "Death within hours." not in (await mercy.open()).text
    world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at) VALUES (%s,2,%s,%s)", NUMBER, notice, T0
    )
    assert "Death within hours." in (await mercy.open()).text


async def test_a_body_that_is_not_what_was_approved_is_not_shown(mercy: Recipient, world: World) -> None:
    world.run(
        "UPDATE notice_body SET body = jsonb_set(body, '{enclosed,facts,hazard}', '\"None.\"') WHERE notice_id = %s",
        world.notice_id,
    )
    page = (await mercy.open()).text
    assert "None." not in page
    assert "Reason and hazard are in the notice you were sent." in page


async def test_a_notice_sent_by_text_message_only_gives_its_texts_too(mercy: Recipient, world: World) -> None:
    await release(world, world.notice_id, APPROVED, Channel.SMS)
    assert APPROVED.texts.hazard in (await mercy.open()).text
