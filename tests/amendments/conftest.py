"""The recall of `story`, decided up to its strategy, with the pinned policy of the United States."""

import json
from pathlib import Path

import psycopg
import pytest

from activities.amendments import AmendmentActivities
from activities.intake import IntakeActivities
from activities.notice import NoticeActivities
from activities.notice_rendering import NoticeRenderer
from activities.policies import PolicyStore
from db.engine import SessionFactory
from domain.firm import Firm
from domain.policy import parse_policy
from settings import Settings
from tests.amendments.story import NOW, NUMBER, OTHER_RECALL, Story, build_chain
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def story(db: SessionFactory, clean_db: PostgresForTests) -> Story:
    """RAW is suspect; the class is I and the strategy signed."""
    url = clean_db.admin_url
    lots, codes, places = build_chain(url)
    policies = PolicyStore.load(ROOT / "policies")
    settings = Settings(state_dir=Path("unused"))
    write_recall(url, NUMBER, "notification")
    write_recall(url, OTHER_RECALL, "notification")
    policy = parse_policy((ROOT / "policies" / "us-fda.yaml").read_text(encoding="utf-8")).pinned()
    with psycopg.connect(url) as owner:
        suspect = {"lots": [{"product_code": codes["RAW"], "number": "RAW"}]}
        owner.execute(
            "UPDATE recall SET suspect = %s, recall_class = 'I' WHERE number = %s", [json.dumps(suspect), NUMBER]
        )
        owner.execute(
            "INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)"
            " VALUES (%s, 'us-fda', '1', %s, %s, %s)",
            [NUMBER, "0" * 64, json.dumps(policy), NOW],
        )
        owner.execute(
            "INSERT INTO class_decision (recall_number, product_line, jurisdiction, kind, proposal_id, recall_class,"
            " level, local_term, market_action, reasons, decided_by, decided_at)"
            " VALUES (%s, 'kits', 'us-fda', 'approved', 1, 'I', 'I', 'Class I', 'removal', '[]', 'ada', %s)",
            [NUMBER, NOW],
        )
    return Story(
        url=url,
        sessions=db,
        intake=IntakeActivities(db, policies, Firm()),
        notice=NoticeActivities(db, NoticeRenderer(), settings),
        amendments=AmendmentActivities(db),
        lots=lots,
        products=codes,
        places=places,
    )
