"""The time an authority has to comment on a draft, over HTTP: shown, kept, and ended early by an answer on file."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from db.engine import SessionFactory
from domain.roles import Role
from models.signing import Signature
from tests.api.test_documents import explained, owing
from tests.api.test_obligations import upload
from tests.obligations.conftest import Owing
from tests.support.api import Callers

__all__ = ["owing"]
pytestmark = pytest.mark.db


async def test_the_comment_window_starts_with_the_draft_and_its_conflict_has_two_ways_out(
    api: Callers, owing: Owing
) -> None:
    """Bucket 2: the notice is due 24 h after the decision, the window of 48 weekday hours ends later."""
    windows = f"/v1/recalls/{owing.number}/comment-windows"
    [before] = (await api.get(windows)).json()
    assert (before["gate"], before["sent_at"], before["open"]) == ("eu-mdr:fsn_comments", None, False)
    url = f"/v1/recalls/{owing.number}/obligations/eu-mdr:fsn_comments"
    body = {"draft_sha256": (await explained(api, url))["draft_sha256"], "reference": "sent to BfArM"}
    done = await api.post(f"{url}/draft/submit", body, Role.REGULATORY)
    assert done.status_code == 201, done.text
    assert done.json()["kind"] == "eu_fsn_draft"
    [sent] = (await api.get(windows)).json()
    assert sent["sent_at"] == done.json()["events"][0]["at"]
    assert datetime.fromisoformat(sent["ends_at"]) - datetime.fromisoformat(sent["sent_at"]) >= timedelta(hours=48)
    assert sent["open"]
    assert "waive the gate for urgency" in sent["conflict"]
    assert "send the notice after the window" in sent["conflict"]
    passed = {"reference": "no comments"}
    early = await api.post(f"/v1/recalls/{owing.number}/gates/eu-mdr:fsn_comments/pass", passed, Role.REGULATORY)
    assert (early.status_code, early.json()["type"].rsplit(":", 1)[1]) == (409, "comment-window-open")
    assert "waive the gate for urgency" in early.json()["detail"]


async def test_an_answer_within_the_comment_window_is_shown_by_a_file_and_signed(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    draft = f"/v1/recalls/{owing.number}/obligations/eu-mdr:fsn_comments"
    handed_in = {"draft_sha256": (await explained(api, draft))["draft_sha256"], "reference": "sent to BfArM"}
    assert (await api.post(f"{draft}/draft/submit", handed_in, Role.REGULATORY)).status_code == 201
    url = f"/v1/recalls/{owing.number}/gates/eu-mdr:fsn_comments/pass"
    answered = {"reference": "no comments", "answered": True}
    bare = await api.post(url, answered, Role.REGULATORY)
    assert (bare.status_code, bare.json()["type"].rsplit(":", 1)[1]) == (422, "evidence-required")
    assert [each["pointer"] for each in bare.json()["errors"]] == ["#/evidence_ids"]
    shown = answered | {"evidence_ids": [await upload(db)]}
    passed = await api.post(url, shown, Role.REGULATORY)
    # The window is no obstacle now: what is missing is only this recall's workflow.
    assert passed.json()["type"].rsplit(":", 1)[1] not in ("comment-window-open", "evidence-required")
    async with db() as session:
        query = select(Signature).where(
            col(Signature.operation) == "pass_gate", col(Signature.recall_number) == owing.number
        )
        [signed] = (await session.exec(query)).all()
    stated = signed.document["stated"]
    assert (stated["answered"], stated["evidence_ids"]) == (True, shown["evidence_ids"])
    assert list(signed.document["refers_to"]["evidence"]) == shown["evidence_ids"]
