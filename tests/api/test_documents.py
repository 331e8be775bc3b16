"""Documents over HTTP: drafted from the record, completed by people, frozen by a signed submission, corrected."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import select

from db.engine import SessionFactory
from domain.roles import Role
from models.audit import AuditEvent
from models.evidence import Evidence
from models.submission import Submission
from tests.api.test_obligations import listed, upload
from tests.capa.conftest import next_number, write_recall
from tests.obligations.conftest import Owing
from tests.support.api import Callers, write_consignee
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


@pytest_asyncio.fixture
async def owing(api: Callers, db: SessionFactory, postgres: PostgresForTests) -> Owing:
    """A class I recall in three jurisdictions, decided and begun twenty days ago, with one consignee."""
    created = datetime.now(UTC) - timedelta(days=20)
    number = next_number()
    await write_recall(
        db, number, jurisdictions=["us-fda", "eu-mdr", "cn-nmpa"], created_at=created, awareness_at=created
    )
    write_consignee(postgres.owner_url, number, phone="+12025550143")
    found = Owing(db, number, created)
    await found.decide("us-fda", "I", "I")
    await found.decide("eu-mdr", "I", "2", action="fsca")
    await found.decide("cn-nmpa", "I", "1")
    await found.start("decision", created)
    await found.start("first_communication", created)
    await found.turn(datetime.now(UTC))
    return found


async def url_of(api: Callers, owing: Owing, name: str = "regulator_report") -> str:
    the_id = (await listed(api, owing))[name]["id"]
    return f"/v1/recalls/{owing.number}/obligations/{the_id}"


async def explained(api: Callers, url: str, days: int = 30) -> dict[str, Any]:
    """State one field and explain the rest."""
    now = (await api.get(f"{url}/fields")).json()
    later = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    open_ones = [each["field"] for each in now["missing"]]
    body = {
        "based_on": now["version"],
        "supplied": {"intended_use": "Rapid detection."} if "intended_use" in open_ones else {},
        "explanations": {
            each: {"reason": "Being collected.", "expected_on": later} for each in open_ones if each != "intended_use"
        },
    }
    answer = await api.put(f"{url}/fields", body, Role.REGULATORY)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_draft_is_read_in_three_forms_and_names_what_is_missing(api: Callers, owing: Owing) -> None:
    url = await url_of(api, owing)
    answer = await api.get(f"{url}/draft")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert (body["head"]["kind"], body["head"]["recall"]) == ("us_806_report", owing.number)
    assert body["document"]["report_number"].startswith("0000000-")
    [consignee] = body["document"]["consignees"]
    assert (consignee["lot"], consignee["quantity"], consignee["phone"]) == ("L26-0412", "30.000000", "+12025550143")
    assert consignee["shipments"].endswith(": 30")
    gap = {each["field"]: each for each in body["missing"]}
    assert (gap["intended_use"]["owes"], gap["intended_use"]["why"]) == ("regulatory", "no record holds it")
    assert gap["communications"]["owes"] == "approver"
    html = await api.get(f"{url}/draft", format="html", language="zh-CN")
    assert "纠正或移除报告" in html.text
    pdf = await api.get(f"{url}/draft", format="pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert html.headers["ETag"] == pdf.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("eu-mdr:fsca_initial", "eu_fsca_initial"),
        ("eu-mdr:fsn_comments", "eu_fsn_draft"),
        ("us-fda:public_warning", "us_public_warning"),
        ("cn-nmpa:assessment_and_plan", "cn_assessment_and_plan"),
        ("cn-nmpa:closure", "cn_summary"),
    ],
)
async def test_what_has_no_instant_is_drafted_by_its_name(api: Callers, owing: Owing, subject: str, kind: str) -> None:
    answer = await api.get(f"/v1/recalls/{owing.number}/obligations/{subject}/draft")
    assert answer.status_code == 200, answer.text
    assert answer.json()["head"]["kind"] == kind


@pytest.mark.parametrize("wrong", ["999999999", "us-fda:nonsense", "xx:closure"])
async def test_an_unknown_obligation_is_said_to_be_unknown(api: Callers, owing: Owing, wrong: str) -> None:
    answer = await api.get(f"/v1/recalls/{owing.number}/obligations/{wrong}/draft")
    assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (404, "obligation-unknown")


async def test_people_state_what_no_record_holds_in_versions(api: Callers, owing: Owing, db: SessionFactory) -> None:
    url = await url_of(api, owing)
    body = {"based_on": 0, "supplied": {"intended_use": "Rapid detection."}, "explanations": {}}
    assert (await api.put(f"{url}/fields", body, Role.QA)).status_code == 403
    first = await api.put(f"{url}/fields", body, Role.REGULATORY)
    assert (first.status_code, first.json()["version"]) == (200, 1)
    again = await api.put(f"{url}/fields", body, Role.REGULATORY)
    assert again.json()["version"] == 1
    stale = await api.put(f"{url}/fields", body | {"supplied": {"intended_use": "Else."}}, Role.HEAD_OF_REGULATORY)
    assert (stale.status_code, stale.json()["type"].rsplit(":", 1)[1]) == (409, "conflict")
    draft = (await api.get(f"{url}/draft")).json()
    assert draft["document"]["intended_use"] == "Rapid detection."
    assert draft["head"]["fields_version"] == 1
    async with db() as session:
        events = (await session.exec(select(AuditEvent).where(AuditEvent.action == "document.fields_stated"))).all()
    assert [event.data["supplied"] for event in events] == [["intended_use"]]
    assert "Rapid detection." not in json.dumps([event.data for event in events])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"supplied": {"firm": "Another"}}, "#/supplied/firm"),
        ({"supplied": {"nonsense": "x"}}, "#/supplied/nonsense"),
        ({"supplied": {"lots": "x"}}, "#/supplied/lots"),
        ({"explanations": {"firm": {"reason": "x", "expected_on": "2026-12-01"}}}, "#/explanations/firm"),
        ({"explanations": {"intended_use": {"reason": "x"}}}, "#/explanations/intended_use"),
    ],
)
async def test_what_cannot_be_stated_is_pointed_at(
    api: Callers, owing: Owing, body: dict[str, Any], pointer: str
) -> None:
    answer = await api.put(f"{await url_of(api, owing)}/fields", {"based_on": 0} | body, Role.REGULATORY)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_a_submission_freezes_exactly_the_draft_that_was_read(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    url = await url_of(api, owing)
    stale = (await api.get(f"{url}/fields")).json()["draft_sha256"]
    unfinished = {"draft_sha256": stale, "reference": "RES 98112"}
    refused = await api.post(f"{url}/draft/submit", unfinished, Role.REGULATORY)
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[1]) == (409, "document-incomplete")
    assert "intended_use" in refused.json()["detail"]
    ready = await explained(api, url)
    assert ready["complete"]
    assert (await api.post(f"{url}/draft/submit", unfinished, Role.REGULATORY)).status_code == 409
    form = {each: (await api.get(f"{url}/draft", format=each)).content for each in ("json", "html", "pdf")}
    body = {"draft_sha256": ready["draft_sha256"]}
    bare = await api.post(f"{url}/draft/submit", body, Role.REGULATORY)
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "#/reference")
    body["reference"] = "RES 98112"
    done = await api.post(f"{url}/draft/submit", body, Role.REGULATORY, key="submit-draft")
    assert done.status_code == 201, done.text
    sent = done.json()
    assert (sent["version"], sent["kind"], sent["model_version"], sent["state"]) == (
        1,
        "us_806_report",
        "1",
        "acknowledged",
    )
    assert sent["sha256"] == ready["draft_sha256"]
    assert sent["signature_id"] is not None
    assert {each["field"] for each in sent["missing"]} == {each["field"] for each in ready["missing"]}
    for each, content in form.items():
        stored = await api.get(f"/v1/evidence/{sent['files'][each]['evidence_id']}")
        assert stored.content == content
        assert sent["files"][each]["sha256"] == hashlib.sha256(content).hexdigest()
    met = (await listed(api, owing))["regulator_report"]
    assert (met["state"], met["reference"]) == ("met_late", "RES 98112")
    assert len(met["evidence_ids"]) == 3
    again = await api.post(f"{url}/draft/submit", body, Role.REGULATORY, key="submit-draft")
    assert again.json() == sent
    async with db() as session:
        events = (await session.exec(select(AuditEvent).where(AuditEvent.action == "submission.frozen"))).all()
    assert [(event.data["sha256"], event.data["signature"]) for event in events] == [
        (sent["sha256"], sent["signature_id"])
    ]


async def test_a_correction_is_a_new_version_and_the_old_bytes_stay(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    url = await url_of(api, owing)
    body = {"draft_sha256": (await explained(api, url))["draft_sha256"], "reference": "RES 1"}
    first = (await api.post(f"{url}/draft/submit", body, Role.REGULATORY)).json()
    before = (await api.get(f"/v1/evidence/{first['files']['json']['evidence_id']}")).content
    fields = (await api.get(f"{url}/fields")).json()
    changed = {
        "based_on": fields["version"],
        "supplied": {"intended_use": "Rapid detection, corrected."},
        "explanations": fields["explanations"],
    }
    sha256 = (await api.put(f"{url}/fields", changed, Role.REGULATORY)).json()["draft_sha256"]
    body = {"draft_sha256": sha256, "reference": "RES 2"}
    unnamed = await api.post(f"{url}/draft/submit", body, Role.REGULATORY)
    assert (unnamed.status_code, unnamed.json()["type"].rsplit(":", 1)[1]) == (409, "obligation-not-open")
    wrong = await api.post(f"{url}/draft/submit", body | {"corrects": first["id"] + 1000}, Role.REGULATORY)
    assert (wrong.status_code, wrong.json()["type"].rsplit(":", 1)[1]) == (409, "conflict")
    second = await api.post(f"{url}/draft/submit", body | {"corrects": first["id"]}, Role.REGULATORY)
    assert second.status_code == 201, second.text
    assert (second.json()["version"], second.json()["corrects_id"]) == (2, first["id"])
    versions = (await api.get(f"{url}/submissions")).json()
    assert [(each["version"], each["sha256"]) for each in versions] == [(1, first["sha256"]), (2, sha256)]
    assert (await api.get(f"/v1/evidence/{first['files']['json']['evidence_id']}")).content == before
    assert (await listed(api, owing))["regulator_report"]["reference"] == "RES 1"


@pytest.mark.parametrize("table", ["submission", "submission_event", "document_fields"])
async def test_nothing_submitted_can_be_changed_by_the_application(db: SessionFactory, table: str) -> None:
    async with db.begin() as session:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await (await session.connection()).execute(text(f"DELETE FROM {table}"))  # noqa: S608 - a constant of ours


async def test_a_chinese_form_is_drafted_and_submitted_in_chinese(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    url = await url_of(api, owing, "assessment_and_plan")
    ready = await explained(api, url)
    body = {"draft_sha256": ready["draft_sha256"], "reference": "沪药监 2026-17"}
    done = await api.post(f"{url}/draft/submit", body, Role.REGULATORY)
    assert done.status_code == 201, done.text
    html = await api.get(f"/v1/evidence/{done.json()['files']['html']['evidence_id']}")
    assert "调查评估报告和召回计划" in html.text
    async with db() as session:
        rows = (await session.exec(select(Evidence).where(Evidence.recall_number == owing.number))).all()
        frozen = (await session.exec(select(Submission))).one()
    assert {row.content_type for row in rows} == {"application/json", "text/html", "application/pdf"}
    assert frozen.kind == "cn_assessment_and_plan"


async def test_a_submission_needs_the_role_and_a_transport_that_is_configured(api: Callers, owing: Owing) -> None:
    url = await url_of(api, owing)
    body = {"draft_sha256": (await explained(api, url))["draft_sha256"], "reference": "x"}
    assert (await api.post(f"{url}/draft/submit", body, Role.QA)).status_code == 403
    dropped = await api.post(f"{url}/draft/submit", body | {"transport": "file_drop"}, Role.REGULATORY)
    assert (dropped.status_code, dropped.json()["type"].rsplit(":", 1)[1]) == (409, "transport-not-configured")


async def test_a_document_made_elsewhere_is_frozen_by_its_files(api: Callers, owing: Owing, db: SessionFactory) -> None:
    url = await url_of(api, owing)
    body = {"reference": "portal 7", "evidence_ids": [await upload(db)]}
    assert (await api.post(f"{url}/submit", body, Role.REGULATORY)).status_code == 200
    [sent] = (await api.get(f"{url}/submissions")).json()
    assert (sent["kind"], sent["version"], sent["state"], sent["model_version"]) == ("own", 1, "acknowledged", None)
    assert [each["evidence_id"] for each in sent["files"].values()] == body["evidence_ids"]
    assert sent["signature_id"] is not None
