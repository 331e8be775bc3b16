"""The content check at the door of the release, reviews of passages, corrected texts, previews, tests to oneself."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.compose import NoticeLinks
from activities.notice import NoticeActivities
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from activities.staff_rendering import StaffRenderer
from activities.tasks import StaffMessageActivities
from db.engine import SessionFactory
from db.repositories import audit, notices
from db.repositories.notices import ProductLots
from domain.channels import Channel
from domain.roles import Role
from models.messages import Actor, DraftNotice, SendStaffMessages
from models.notice_check import NoticeTextReview
from models.staff import Staff, StaffMessage
from settings import Settings
from tests.activities.conftest import NOW, NUMBER, SRN, Case, chain, decision, make_case  # noqa: F401 - chain is a fixture
from tests.activities.test_task_turns import Recorder
from tests.support.api import LINK_SECRET, PEOPLE, Callers, calling, make_tokens
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
BASE = f"/v1/recalls/{NUMBER}"
DOUBTFUL = {"hazard": "A minor delay of treatment."}
Draft = Callable[..., Awaitable[dict[str, Any]]]


@pytest_asyncio.fixture
async def api(application: FastAPI, db: SessionFactory, chain: dict[str, int]) -> AsyncIterator[Callers]:  # noqa: F811
    """The API over the chain of the activities' tests."""
    async with calling(application) as client:
        yield Callers(client, await make_tokens(db))


@pytest.fixture
def draft(db: SessionFactory, chain: dict[str, int], api: Callers, tmp_path: Path) -> Draft:  # noqa: F811
    """Drafts the first notice of a recall with these facts; answers with what the API shows of it."""
    cases: list[Case] = []

    async def drafted(version: int = 1, spoil: tuple[tuple[str, str], ...] = (), **facts: Any) -> dict[str, Any]:
        if not cases:
            cases.append(await make_case(db, chain, **facts))
            await cases[0].decided()
        case = cases[0]
        notice = case.notice
        if spoil:
            shutil.copytree(TEMPLATES, tmp_path / "templates", dirs_exist_ok=True)
            file = tmp_path / "templates" / "_base" / "email.en.html.j2"
            source = file.read_text()
            for old, new in spoil:
                assert old in source
                source = source.replace(old, new)
            file.write_text(source)
            settings = Settings(state_dir=Path("unused"), eu_srn=SRN)
            notice = NoticeActivities(db, NoticeRenderer(tmp_path / "templates"), settings)
        await case.run(notice.draft_notice, DraftNotice(number=NUMBER, now=NOW, version=version))
        return (await api.get(f"{BASE}/notices")).json()[0]  # type: ignore[no-any-return]

    return drafted


async def check_of(api: Callers, notice: dict[str, Any]) -> dict[str, Any]:
    answer = await api.get(f"{BASE}/notices/{notice['id']}/check")
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def approve(api: Callers, notice: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await api.post(
        f"{BASE}/notices/{notice['id']}/approve", {"sha256": notice["sha256"]}, Role.HEAD_OF_QUALITY
    )
    return answer.status_code, answer.json()


def review(notice: dict[str, Any], passages: list[str], verdict: str = "confirmed", **more: Any) -> dict[str, Any]:
    return {"sha256": notice["sha256"], "passages": passages, "verdict": verdict} | more


async def send_review(api: Callers, notice: dict[str, Any], body: dict[str, Any], role: Role = Role.MEDICAL) -> Any:
    return await api.post(f"{BASE}/notices/{notice['id']}/review", body, role)


async def events(db: SessionFactory) -> list[Any]:
    async with db() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
        return [event async for event in audit.read_all(session, NUMBER)]


async def test_a_good_draft_is_releasable_and_asks_nobody(api: Callers, draft: Draft) -> None:
    notice = await draft()
    found = await check_of(api, notice)
    assert (found["refused"], found["passages"]) == ([], [])
    assert found["releasable"]
    assert found["covers"]
    shown = await api.get(f"{BASE}/notices/{notice['id']}/preview?kind=initial&channel=email&language=en")
    assert f"Single registration number (SRN): {SRN}" in shown.json()["text"]
    status, problem = await approve(api, notice)
    # Only the workflow is missing: nothing of the content stands against it.
    assert (status, problem["type"]) == (503, "urn:recall:problem:temporal-unavailable")


SPOILT = {
    "answer": ('<p><a href="{{ slot("link") }}">{{ slot("link") }}</a></p>', "<p>Write to us.</p>"),
    "hazard": ("{{ t.hazard }}", "{{ t.hazard | replace('Missed', 'Possibly missed') }}"),
    "no_foreign_lot": ('{{ p.lots | join(", ") }}', '{{ p.lots[1:] | join(", ") }}, B1'),
    "no_promotion": ("<h2>6. Contact</h2>", "<h2>6. Contact</h2><p>Ask for our special offer.</p>"),
    "classification": ("{{ level.term }}", "Class III"),
}
"""Element -> what is changed in the template of the English mail."""


async def test_a_spoilt_draft_is_not_released_and_each_element_is_named(
    api: Callers, draft: Draft, db: SessionFactory
) -> None:
    notice = await draft(spoil=tuple(SPOILT.values()))
    found = await check_of(api, notice)
    assert not found["releasable"]
    status, problem = await approve(api, notice)
    assert (status, problem["type"]) == (409, "urn:recall:problem:notice-refused")
    [checked] = [event.data for event in await events(db) if event.action == "notice.checked"]
    for element in (*SPOILT, "lots"):
        assert element in {each["element"] for each in found["refused"]}
        assert element in problem["detail"]
        named = next(each for each in problem["elements"] if each["element"] == element)
        assert (named["body"].split("/")[1], named["part"]) == ("email.en", "html")
        assert named["text"]
        assert named["text_zh"]
        assert any(each.startswith(element) for each in checked["refused"])


async def test_a_lot_that_the_drafting_lost_is_missed_although_every_body_agrees(
    api: Callers, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = notices.affected_products

    async def losing_one(session: AsyncSession, number: str) -> list[ProductLots]:
        (product, maker, lots), *others = await read(session, number)
        return [(product, maker, [*lots[1:], "GHOST-1"]), *others]

    monkeypatch.setattr(notices, "affected_products", losing_one)
    found = await check_of(api, await draft())
    assert {(each["element"], each["body"]) for each in found["refused"]} == {("lots", "record")}
    assert "GHOST-1" in found["refused"][0]["text"]
    assert not found["releasable"]


async def test_what_the_api_refuses_the_record_refuses_too(draft: Draft, db: SessionFactory) -> None:
    notice = await draft(hazard="Missed infection, but no risk.")
    release = decision(
        "approve_notice",
        Actor(principal="ada", roles=("approver",)),
        notice_id=notice["id"],
        sha256=notice["sha256"],
    )
    activities = NoticeActivities(db, NoticeRenderer(), Settings(state_dir=Path("unused")))
    with pytest.raises(ApplicationError, match="content check"):
        await ActivityEnvironment().run(activities.record_notice_approval, release)


async def test_a_passage_waits_for_a_named_reviewer_who_did_not_write_it(
    api: Callers, draft: Draft, db: SessionFactory
) -> None:
    notice = await draft(**DOUBTFUL, started_by=PEOPLE[Role.APPROVER])
    [passage] = (await check_of(api, notice))["passages"]
    assert passage["why"] == ["may weaken the hazard: 'minor'"]
    assert passage["review"] is None
    status, problem = await approve(api, notice)
    assert (status, problem["type"]) == (409, "urn:recall:problem:review-needed")
    assert [each["id"] for each in problem["passages"]] == [passage["id"]]

    own = await send_review(api, notice, review(notice, [passage["id"]]), Role.APPROVER)
    assert (own.status_code, own.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    nobody = await send_review(api, notice, review(notice, [passage["id"]]), Role.WAREHOUSE)
    assert nobody.json()["type"] == "urn:recall:problem:not-permitted"

    said = review(notice, [passage["id"]], note="As the evaluation says.")
    url = f"{BASE}/notices/{notice['id']}/review"
    answer = await api.post(url, said, Role.MEDICAL, key="review-1")
    assert answer.status_code == 200, answer.text
    again = await api.post(url, said, Role.MEDICAL, key="review-1")
    assert again.json() == answer.json(), "given once per key"
    assert answer.json()["releasable"]
    assert answer.json()["passages"][0]["review"]["reviewer"] == PEOPLE[Role.MEDICAL]
    assert (await approve(api, notice))[0] == 503
    [event] = [each for each in await events(db) if each.action == "notice.text_reviewed"]
    assert (event.actor, event.data["passages"]) == (PEOPLE[Role.MEDICAL], [passage["id"]])
    async with db() as session:
        [row] = (await session.exec(select(NoticeTextReview))).all()
    assert str(row.signature_id) == event.data["signature"]


async def test_the_last_word_counts_and_what_was_not_asked_is_refused(api: Callers, draft: Draft) -> None:
    notice = await draft(**DOUBTFUL)
    [passage] = (await check_of(api, notice))["passages"]
    silent = await send_review(api, notice, review(notice, [passage["id"]], "rejected"))
    assert silent.status_code == 422
    for verdict, releasable in (("rejected", False), ("confirmed", True), ("rejected", False)):
        answer = await send_review(api, notice, review(notice, [passage["id"]], verdict, note="Read again."))
        assert answer.json()["releasable"] is releasable
    stranger = await send_review(api, notice, review(notice, ["0" * 16]))
    assert stranger.status_code == 422
    assert stranger.json()["errors"][0]["pointer"] == "#/passages/0"
    stale = await send_review(api, notice, review(notice, ["0" * 16]) | {"sha256": "0" * 64})
    assert stale.json()["type"] == "urn:recall:problem:hash-mismatch"
    nowhere = await send_review(api, {"id": 99, "sha256": "0" * 64}, review(notice, ["0" * 16]))
    assert nowhere.status_code == 404
    assert (await api.get(f"{BASE}/notices/99/check")).status_code == 404


async def test_corrected_texts_make_the_next_draft_good(api: Callers, draft: Draft, db: SessionFactory) -> None:
    await draft(hazard="Missed infection, but no risk.")
    body = {
        "reason": "False negative results",
        "hazard": "Missed infection",
        "translations": {"zh-CN": {"reason": "假阴性结果", "hazard": "漏诊感染"}},
        "why": "The hazard was played down.",
    }
    refused = await api.post(f"{BASE}/texts", body, Role.WAREHOUSE)
    assert refused.status_code == 403
    answer = await api.post(f"{BASE}/texts", body, Role.QA)
    assert (answer.status_code, answer.json()["hazard"]) == (200, "Missed infection")
    assert (await check_of(api, await draft(version=2)))["releasable"]
    [event] = [each for each in await events(db) if each.action == "recall.texts_corrected"]
    assert event.data["before"]["hazard"] == "Missed infection, but no risk."
    assert event.reason == body["why"]


async def test_a_draft_without_a_check_of_its_own_is_not_released(
    api: Callers, draft: Draft, postgres: PostgresForTests
) -> None:
    notice = await draft()
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("UPDATE notice_check SET sha256 = repeat('0', 64)")
    found = await check_of(api, notice)
    assert (found["covers"], found["releasable"]) == (False, False)
    assert (await approve(api, notice))[1]["type"] == "urn:recall:problem:notice-refused"


async def test_a_preview_is_what_that_recipient_would_get_with_a_link_for_nobody(api: Callers, draft: Draft) -> None:
    notice = await draft()
    url = f"{BASE}/notices/{notice['id']}/preview"
    mail = (await api.get(url)).json()
    assert mail["recipient"] in mail["text"]
    assert "A1" in mail["text"]
    assert "/t/TEST-NO-ANSWER" in mail["text"]
    assert "/r/" not in mail["html"]
    assert mail["sms_segments"] is None
    assert mail["open_values"] == ["respond_by", "first_notice_on"]
    short = (await api.get(url, kind="reminder", channel="sms", language="zh-CN")).json()
    assert short["sms_encoding"] == "ucs-2"
    assert short["sms_segments"] >= 3
    other = (await api.get(url, consignee=mail["consignee_id"] + 1)).json()
    assert other["recipient"] != mail["recipient"]
    for params in ({"consignee": 10**9}, {"language": "fr"}, {"kind": "nothing"}, {"channel": "fax"}):
        assert (await api.get(url, **params)).status_code == 404, params
    page = await api.client.get(mail["text"].split("http://recall.test")[1].split()[0])
    assert page.status_code == 200
    assert "answers for nobody" in page.text


async def test_a_preview_escapes_what_the_master_data_hold(
    api: Callers, draft: Draft, postgres: PostgresForTests
) -> None:
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("UPDATE partner SET name = '<script>alert(1)</script> {{ 7*7 }} ⟦link⟧' WHERE kind = 'hospital'")
    notice = await draft()
    mail = (await api.get(f"{BASE}/notices/{notice['id']}/preview")).json()
    assert "<script>" not in mail["html"]
    assert "{{ 7*7 }} ⟦link⟧" in mail["text"]


async def staff_of(db: SessionFactory, role: Role, **changes: Any) -> None:
    given = {"email": "own@firm.test", "phone": "+12025550199", "language": "en"} | changes
    async with db.begin() as session:
        session.add(Staff(principal=PEOPLE[role], name=PEOPLE[role], roles=[role.value], **given))


async def sent(db: SessionFactory, channel: Channel) -> list[Any]:
    recorder = Recorder(channel)
    links = NoticeLinks("http://recall.test", LINK_SECRET, "recall@firm.test")
    activity = StaffMessageActivities(db, {channel: recorder}, StaffRenderer(), "recall@firm.test", links)
    request = SendStaffMessages(number=NUMBER, channel=channel.value, now=datetime.now(UTC) + timedelta(seconds=1))
    await ActivityEnvironment().run(activity.send_staff_messages, request)
    return recorder.sent


async def test_a_test_goes_to_ones_own_address_marked_and_with_a_dead_link(
    api: Callers, draft: Draft, db: SessionFactory
) -> None:
    notice = await draft()
    await staff_of(db, Role.QA)
    url = f"{BASE}/notices/{notice['id']}/test-send"
    for channel in ("email", "sms"):
        body = {"kind": "initial", "channel": channel, "language": "en"}
        answer = await api.post(url, body, Role.QA, key=f"test-{channel}")
        again = await api.post(url, body, Role.QA, key=f"test-{channel}")
        assert (answer.status_code, answer.json()) == (202, again.json())
    [mail] = await sent(db, Channel.EMAIL)
    assert (mail.to, mail.subject[:7]) == ("own@firm.test", "[TEST] ")
    assert mail.text.startswith("TEST MESSAGE")
    assert "TEST MESSAGE" in mail.html
    assert "<title>[TEST] URGENT" in mail.html
    assert mail.html.index("TEST MESSAGE") < mail.html.index("<h1")
    assert "/r/" not in mail.text + mail.html
    [text] = await sent(db, Channel.SMS)
    assert (text.to, text.text[:14]) == ("+12025550199", "[TEST] URGENT:")
    assert await sent(db, Channel.SMS) == []
    assert [event.action for event in await events(db)].count("notice.test_sent") == 2
    async with db() as session:
        assert {row.principal for row in (await session.exec(select(StaffMessage))).all()} == {PEOPLE[Role.QA]}


async def test_tests_that_cannot_be_sent_are_refused_with_the_reason(
    api: Callers, draft: Draft, db: SessionFactory, postgres: PostgresForTests
) -> None:
    notice = await draft()
    url = f"{BASE}/notices/{notice['id']}/test-send"
    body = {"kind": "initial", "channel": "sms", "language": "en"}
    unknown = await api.post(url, body)
    assert (unknown.status_code, unknown.json()["type"]) == (409, "urn:recall:problem:wrong-state")
    await staff_of(db, Role.QA, phone=None)
    assert "telephone number" in (await api.post(url, body)).json()["detail"]
    assert (await api.post(url, body | {"language": "fr"})).status_code == 404
    assert (await api.post(url, body | {"channel": "voice"})).status_code == 422
    assert (await api.post(url, body, Role.AUDITOR)).status_code == 403
    mail = body | {"channel": "email"}
    statuses = [(await api.post(url, mail)).status_code for _ in range(12)]
    assert statuses[-1] == 429
    assert set(statuses) == {202, 429}
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("UPDATE recall SET drill = true")
    assert (await api.post(url, mail)).json()["type"] == "urn:recall:problem:drill-blocked"
