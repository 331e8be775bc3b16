"""A fresh recall per test, and the sending activity bound to providers of the test."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.delivery_outcomes import SendingLimits
from activities.notify import NotifyActivities
from adapters.messaging.factory import build_blocked_adapters
from db.engine import SessionFactory
from db.repositories import campaign
from db.repositories.campaign import Advanced
from domain.channels import Channel
from domain.ladder import Ladder
from models.messages import AdvanceCampaign, BatchResult, CampaignProgress, SendBatch
from tests.campaign.world import LADDER, LINKS, NUMBER, T0, Provider, World, build
from tests.messaging.conftest import catcher, standin, webhooks
from tests.support.servers import PostgresForTests

__all__ = ["catcher", "standin", "webhooks"]

LIMITS = SendingLimits(ask_again=timedelta(0))


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    return build(clean_db.admin_url)


class Hand:
    """What the campaign's workflow does, done by hand: look, send."""

    def __init__(self, sessions: SessionFactory, world: World) -> None:
        self.sessions = sessions
        self.world = world
        self.mail = Provider(Channel.EMAIL)
        self.sms = Provider(Channel.SMS)
        self.beats: list[Any] = []

    async def advance(self, now: datetime = T0, ladder: Ladder = LADDER, **changes: Any) -> Advanced:
        request = self.request(now, ladder, **changes)
        async with self.sessions.begin() as session:
            return await campaign.advance(session, request)

    async def progress(self, now: datetime = T0, ladder: Ladder = LADDER) -> CampaignProgress:
        async with self.sessions() as session:
            return await campaign.progress(session, NUMBER, self.world.campaign_id, ladder, now)

    def request(self, now: datetime, ladder: Ladder = LADDER, **changes: Any) -> AdvanceCampaign:
        given = AdvanceCampaign(
            number=NUMBER, campaign_id=self.world.campaign_id, ladder=ladder, pace=1.0, priority=1, now=now
        )
        return given.model_copy(update=changes)

    def activities(self, limits: SendingLimits = LIMITS, **adapters: Any) -> NotifyActivities:
        chosen = {Channel.EMAIL: self.mail, Channel.SMS: self.sms} | {Channel(k): v for k, v in adapters.items()}
        return NotifyActivities(self.sessions, chosen, build_blocked_adapters(), LINKS, limits)

    async def send(
        self, channel: str = "email", now: datetime = T0, limits: SendingLimits = LIMITS, **adapters: Any
    ) -> BatchResult:
        return await self.run(self.activities(limits, **adapters), channel, now)

    async def run(self, activities: NotifyActivities, channel: str = "email", now: datetime = T0) -> BatchResult:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, workflow_id=f"recall:{NUMBER}:campaign:1")
        environment.on_heartbeat = lambda *details: self.beats.append(details)
        request = SendBatch(number=NUMBER, campaign_id=self.world.campaign_id, channel=channel, now=now)
        result: BatchResult = await environment.run(activities.send_batch, request)
        return result


@pytest.fixture
def hand(db: SessionFactory, world: World) -> Hand:
    return Hand(db, world)


Make = Callable[..., Hand]
