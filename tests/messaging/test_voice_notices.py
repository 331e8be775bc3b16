"""The spoken notice: short, speakable, without a link, with the keys; the golden files hold its words."""

import pytest

from activities.notice_rendering import NoticeRenderer
from api.call_script import LANGUAGES, words, words_in
from domain.channels import Channel
from domain.notice_content import LADDER_KINDS, NoticeKind
from domain.notice_kinds import SENT_ONCE
from domain.voice import Key
from tests.messaging.notices import CONTEXT, RECIPIENT, facts_of

pytestmark = pytest.mark.unit
RENDERER = NoticeRenderer()
SPOKEN = [(kind, language) for kind, channel, language in RENDERER.available() if channel is Channel.VOICE]


def test_every_kind_that_a_campaign_sends_is_spoken_in_english_and_chinese() -> None:
    kinds = (*LADDER_KINDS, NoticeKind.AMENDMENT, NoticeKind.RETRACTION, NoticeKind.CLOSURE)
    assert {(kind, language) for kind in kinds for language in ("en", "zh-CN")} <= set(SPOKEN)


@pytest.mark.parametrize(("kind", "language"), SPOKEN)
def test_a_spoken_notice_says_what_matters_and_fits_into_a_minute(kind: NoticeKind, language: str) -> None:
    text = RENDERER.preview(kind, Channel.VOICE, language, *facts_of(kind)).text
    for fact in (CONTEXT.firm_name, RECIPIENT.recipient_name, CONTEXT.recall_no, "SCMS-10-IE", CONTEXT.firm_phone):
        assert fact in text
    assert "http" not in text
    assert RECIPIENT.link not in text
    assert not set(text) & set("<>{}⟦⟧|*_")
    # About 15 characters of English, or five of Chinese, are spoken in a second.
    assert len(text) <= (400 if language.startswith("zh") else 900)
    menu = text.split("\n\n")[-1]
    assert [char for char in menu if char.isdigit()] == [key.value for key in Key]


@pytest.mark.parametrize(("kind", "language"), [one for one in SPOKEN if one[0] not in SENT_ONCE])
def test_an_urgent_notice_says_so_aloud(kind: NoticeKind, language: str) -> None:
    text = RENDERER.preview(kind, Channel.VOICE, language, *facts_of(kind)).text
    if language in ("en", "zh-CN"):
        assert {"en": "Urgent: medical device recall", "zh-CN": "紧急：医疗器械召回"}[language] in text


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_spoken_drill_says_so_first(language: str) -> None:
    context = CONTEXT.model_copy(update={"drill": True})
    text = RENDERER.preview(NoticeKind.INITIAL, Channel.VOICE, language, context, RECIPIENT).text
    assert text.startswith({"en": "This is a drill. No action is needed.", "zh-CN": "这是一次演练"}[language])


@pytest.mark.parametrize(
    ("tag", "voice"), [("en", "en-US"), ("en-GB", "en-US"), ("zh-CN", "zh-CN"), ("ZH", "zh-CN"), ("es", "es-ES")]
)
def test_the_voice_speaks_the_language_of_the_text(tag: str, voice: str) -> None:
    assert words("voice", tag) == voice


def test_whatever_language_a_notice_is_spoken_in_has_our_own_words_in_it() -> None:
    assert {language for _, language in SPOKEN} == set(LANGUAGES)
    keys = set(words_in("en"))
    for language in LANGUAGES:
        assert set(words_in(language)) == keys
        assert all(words_in(language).values())
    for key in keys:
        assert len({words(key, language) for language in LANGUAGES}) == len(LANGUAGES)
        assert words(key, "fi") == words(key, "en")
