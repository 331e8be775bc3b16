"""The PDF letter at the door: what an approver reads is what every message begins with."""

import io
from typing import Any

import psycopg
import pypdf
import pytest
from psycopg.types.json import Jsonb

from domain.roles import Role
from tests.activities.conftest import chain  # noqa: F401 - a fixture
from tests.api.test_notice_content import BASE, Draft, api, draft  # noqa: F401 - fixtures
from tests.support.api import Callers
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


async def letter(api: Callers, notice: dict[str, Any], **query: Any) -> Any:  # noqa: F811
    return await api.get(f"{BASE}/notices/{notice['id']}/letter", **query)


async def test_the_letter_is_readable_in_every_language_and_a_reminder_has_the_first_ones(
    api: Callers,  # noqa: F811
    draft: Draft,  # noqa: F811
) -> None:
    notice = await draft()
    for language, words in (
        ("en", "WHAT TO DO AT ONCE"),
        ("zh-CN", "请立即采取的措施"),
        ("es", "QUÉ HACER DE INMEDIATO"),
    ):
        found = await letter(api, notice, language=language)
        assert (found.status_code, found.headers["content-type"]) == (200, "application/pdf")
        reader = pypdf.PdfReader(io.BytesIO(found.content), strict=True)
        assert words in "".join(page.extract_text() for page in reader.pages)
        assert (await letter(api, notice, language=language, kind="reminder")).content == found.content


async def test_no_such_letter_is_said_and_a_changed_one_is_not_shown(
    api: Callers,  # noqa: F811
    draft: Draft,  # noqa: F811
    clean_db: PostgresForTests,
) -> None:
    notice = await draft()
    for query in ({"language": "fr"}, {"kind": "nonsense"}, {"kind": "patient"}):
        missing = await letter(api, notice, **query)
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:recall:problem:not-found"), query
    assert (await letter(api, notice, language="../x")).status_code == 422
    unknown = await api.get(f"{BASE}/notices/999999/letter", Role.APPROVER)
    assert unknown.status_code == 404
    with psycopg.connect(clean_db.admin_url) as owner:
        path = "{enclosed,letter,content}"
        owner.execute(
            "UPDATE notice_body SET body = jsonb_set(body, %s, %s) WHERE kind = 'initial' AND language = 'en'"
            " AND channel = 'email'",
            [path, Jsonb("AAAA")],
        )
    changed = await letter(api, notice)
    assert (changed.status_code, changed.json()["type"]) == (409, "urn:recall:problem:hash-mismatch")
