"""Words of harm are found wherever they stand; only a plain denial right before them is believed."""

import pytest

from domain.harm import mentions_harm

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "A patient was injured",
        "Patient DIED on Monday",
        "two deaths",
        "nurse hurt her hand",
        "not only hurt but burned",
        "without gloves patient died",
        "no stock left. One patient was harmed",
        "no response from the patient who died",
        "患者死亡",
        "有人受伤了",
        "未隔离致死亡",
        "发生不良事件",
        "adverse  event in ward 3",
    ],
)
def test_harm_is_found(text: str) -> None:
    assert mentions_harm(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "2 boxes left",
        "No injuries",
        "no patients were harmed",
        "Nobody was hurt.",
        "no known serious injuries",
        "has not harmed us or has not injured patients",
        "无人受伤",
        "未造成伤害",
        "没有发生不良事件",
        "the diet is fine, pharmacy is pharmaceutical",
    ],
)
def test_a_plain_denial_or_another_text_is_no_report(text: str | None) -> None:
    assert not mentions_harm(text)
