"""A decided recall with an approved notice, evidence and real histories, beside another recall on the same lot."""

import io
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker

from adapters.evidence.folder import FolderEvidence
from db.engine import SessionFactory
from db.repositories import evidence
from domain.workflow_ids import campaign_id, capa_id, recall_id
from dossier.archive import ArchiveWriter
from dossier.export import Exporter, Order
from models.evidence import Evidence
from models.messages import Actor, BeginIntake, CreateCampaign, RecallScopeRef
from models.messages_amendments import DraftNotice
from plugin import workflow_runner
from tests.activities.conftest import NOW, NUMBER, Case, chain, decision, make_case  # noqa: F401 - chain is a fixture
from tests.dossier.small_workflows import Leaf, Stem
from tests.support.clock import start_environment
from workflows.search_attributes import ALL

OTHER = "RC-2026-000002"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\nreport\n"
LETTER = "致监管部门的信\n".encode()
CAPA = capa_id(NUMBER, 1)


@dataclass
class World:
    """What an exporter needs, and what tests look at."""

    case: Case
    sessions: SessionFactory
    store: FolderEvidence
    temporal: Client
    files: dict[str, UUID]

    def exporter(self, *, temporal: bool = True) -> Exporter:
        """An exporter over this world."""
        return Exporter(self.sessions, self.store, self.temporal if temporal else None)

    async def archive(self, order: Order | None = None) -> bytes:
        """The dossier as bytes, without the audit event."""
        buffer = io.BytesIO()
        await self.exporter().write(order or an_order(), ArchiveWriter(buffer))
        return buffer.getvalue()


def an_order(number: str = NUMBER, without_histories: str | None = None) -> Order:
    """Export by Audrey, three days after the intake."""
    return Order(number, "Audrey", "auditor", NOW + timedelta(days=3), without_histories)


async def upload(world: World, name: str, content: bytes, media_type: str) -> UUID:
    """A stored and recorded file."""
    file = Evidence(
        id=uuid.uuid5(uuid.NAMESPACE_URL, name),
        file_name=name,
        content_type=media_type,
        size=len(content),
        sha256=await world.store.store(content),
        uploaded_by="Quinn",
        uploaded_at=NOW,
    )
    async with world.sessions.begin() as session:
        await evidence.add(session, file, role="qa")
    return file.id


@pytest_asyncio.fixture
async def world(
    sessions: SessionFactory,
    chain: dict[str, int],  # noqa: F811
    histories: Client,
    tmp_path: Path,
) -> World:
    """The recall RC-2026-000001 as its file is asked for, and RC-2026-000002 with a file of its own."""
    case = await make_case(sessions, chain)
    case.signs = True
    world = World(case, sessions, FolderEvidence(tmp_path / "evidence"), histories, {})
    await case.decided()
    draft = await case.run(case.notice.draft_notice, DraftNotice(number=NUMBER, now=NOW))
    ada = Actor(principal="ada", roles=("approver",))
    approval = decision("approve_notice", ada, 2, notice_id=draft.notice_id, sha256=draft.sha256)
    await case.run(case.notice.record_notice_approval, approval)
    create = CreateCampaign(number=NUMBER, now=NOW, notice_id=draft.notice_id, sequence=1)
    await case.run(case.notice.create_campaign, create)
    other = await make_case(sessions, chain, number=OTHER)
    await other.run(other.intake.begin_intake, BeginIntake(number=OTHER, now=NOW))
    await other.run(other.intake.resolve_scope, RecallScopeRef(number=OTHER, now=NOW, scope_version=1))
    for name, content, media_type, number, subject in (
        ("report.pdf", PDF, "application/pdf", NUMBER, "intake"),
        ("信.txt", LETTER, "text/plain", NUMBER, "gate:cn-nmpa:report"),
        ("other.txt", b"of another recall\n", "text/plain", OTHER, "intake"),
    ):
        world.files[name] = await upload(world, name, content, media_type)
        async with sessions.begin() as session:
            await evidence.link(session, number, [world.files[name]], subject, by="Quinn", at=NOW)
    return world


@pytest_asyncio.fixture(scope="session")
async def histories() -> AsyncIterator[Client]:
    """A server of our own that only has the recall's (two runs), its CAPA's (a child) and its campaign's histories."""
    env = await start_environment(ALL)
    queue = f"dossier-{uuid.uuid4()}"
    async with Worker(env.client, task_queue=queue, workflows=[Leaf, Stem], workflow_runner=workflow_runner()):
        stem = await env.client.start_workflow(Stem.run, CAPA, id=recall_id(NUMBER), task_queue=queue)
        leaf = await env.client.start_workflow(Leaf.run, "x", id=campaign_id(NUMBER, 1), task_queue=queue)
        await stem.result()
        await leaf.result()
        await env.client.get_workflow_handle(CAPA).result()
    yield env.client
    await env.shutdown()
