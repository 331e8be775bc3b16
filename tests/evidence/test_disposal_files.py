"""What proves a disposition lies in the S3-compatible store: the certificate, the photo of a parcel, a lab's report."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from db.engine import SessionFactory
from domain.roles import Role
from tests.api.conftest import unreachable_client
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.evidence.conftest import S3Server
from tests.support.api import Callers, make_tokens, serving, settings_for, write_chain, write_consignee
from tests.support.servers import PostgresForTests

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
BUCKET = "recall-evidence"
PHOTO = b"\x89PNG\r\n\x1a\n" + b"parcel" * 40


@pytest_asyncio.fixture
async def api(db: SessionFactory, postgres: PostgresForTests, s3: S3Server, tmp_path: Path) -> AsyncIterator[Callers]:
    """The API with its evidence in a bucket."""
    write_chain(postgres.owner_url)
    settings = settings_for(postgres.app_url, tmp_path, evidence_s3_bucket=BUCKET, evidence_s3_endpoint=s3.url)
    async with serving(settings, await unreachable_client()) as client:
        yield Callers(client, await make_tokens(db))


async def test_the_files_of_a_return_an_inspection_and_a_destruction_are_objects_of_the_bucket(
    warehouse: Warehouse, s3: S3Server, tmp_path: Path
) -> None:
    sent = {"photo.png": (PHOTO, "image/png"), "report.txt": (b"burst at 4 bar", "text/plain")}
    files = {}
    for name, (content, kind) in sent.items():
        answer = await warehouse.api.client.post(
            "/v1/evidence", files={"file": (name, content, kind)}, headers=warehouse.api.headers(Role.QA, name)
        )
        assert answer.status_code == 201, answer.text
        files[name] = answer.json()["id"]
    counted = {
        "consignee_id": write_consignee(warehouse.url, NUMBER),
        "lot_id": warehouse.lot,
        "location_id": warehouse.place,
        "quantity": "2",
        "document_no": "PARCEL",
        "evidence_ids": [files["photo.png"]],
    }
    assert (await warehouse.api.post(f"{URL}/returns", counted, Role.WAREHOUSE)).status_code == 201
    inspected = {
        "lot_id": warehouse.lot,
        "kind": "laboratory",
        "passed": False,
        "criterion": "burst pressure, 3 bar",
        "report_no": "LAB-1",
        "inspected_by": "Dr. Li",
        "inspected_at": datetime.now(UTC).isoformat(),
        "evidence_ids": [files["report.txt"]],
    }
    assert (await warehouse.api.post(f"{URL}/inspections", inspected, Role.QA)).status_code == 201
    done = await warehouse.execute(await warehouse.approved("destroy", "5"), "5", document_no="C-1", witness="Wilma")
    assert done.status_code == 200, done.text
    linked = warehouse.rows(
        "SELECT DISTINCT split_part(l.subject, ':', 1), e.sha256 FROM evidence_link l JOIN evidence e "
        "ON e.id = l.evidence_id ORDER BY 1"
    )
    assert [what for what, _ in linked] == ["disposition", "inspection", "return"]
    for _, sha256 in linked:
        kept = s3.client().get_object(Bucket=BUCKET, Key=f"{sha256[:2]}/{sha256}")["Body"].read()
        assert hashlib.sha256(kept).hexdigest() == sha256
    read = await warehouse.api.client.get(
        f"/v1/evidence/{files['photo.png']}", headers=warehouse.api.headers(Role.AUDITOR)
    )
    assert read.content == PHOTO
    assert not list((tmp_path / "evidence").rglob("*"))
