"""Some eighty kinds of falsified notices, on every channel of three laws: none passes the content check."""

from dataclasses import replace

import pytest

from domain.channels import Channel
from domain.notice_content import NoticeKind
from tests.notice_content.attacks import ATTACKS, spoilt
from tests.notice_content.facts import FACTS, RENDERER, checked

pytestmark = pytest.mark.unit
LAWS = {"us-fda": "en", "eu-mdr": "es", "cn-nmpa": "zh-CN"}
"""Each with the language in which its notices are falsified."""
BODIES = [
    RENDERER.render_for_approval(NoticeKind.INITIAL, channel, language, FACTS)
    for channel in Channel
    for language in RENDERER.languages(NoticeKind.INITIAL, channel)
]


def test_the_notices_that_are_falsified_are_good() -> None:
    for law in LAWS:
        for body in BODIES:
            assert checked(body, FACTS, (law,)).refusals == ()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_falsified_notice_is_refused_in_every_part_that_was_falsified(name: str, law: str) -> None:
    attacked, passed = 0, []
    for body in [each for each in BODIES if each.language == LAWS[law]]:
        parts = spoilt(body, FACTS, ATTACKS[name])
        attacked += len(parts)
        refused = {each.part for each in checked(replace(body, **parts), FACTS, (law,)).refusals} if parts else set()
        passed += [f"{body.channel}.{body.language} {part}" for part in parts if part not in refused]
    assert attacked, "nothing was falsified"
    assert passed == []
