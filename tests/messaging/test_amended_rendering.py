"""Amended notices and retractions: what they say of the change, and what they must not ask or free."""

from typing import Any

import pytest

from activities.notice_rendering import NoticeRenderer, NoticeTemplateError
from domain.channels import Channel
from domain.levels import RecallClass
from domain.notice_content import NoticeChange, NoticeKind, RecipientValues
from tests.messaging.notices import AMENDED, CHANGE, CONTEXT, RECIPIENT, TOLD_AGAIN

pytestmark = pytest.mark.unit
RENDERER = NoticeRenderer()


def changed(model: Any, **changes: Any) -> Any:
    return type(model).model_validate({**model.model_dump(), **changes})


def said(kind: NoticeKind, language: str, *, recipient: RecipientValues = TOLD_AGAIN, **change: Any) -> list[str]:
    """Subject, text, HTML and SMS of an amended notice with these facts of the change."""
    context = changed(AMENDED, change=changed(CHANGE, **change).model_dump())
    mail = RENDERER.preview(kind, Channel.EMAIL, language, context, recipient)
    sms = RENDERER.preview(kind, Channel.SMS, language, context, recipient)
    return [str(mail.subject), mail.text, str(mail.html), sms.text]


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        ({"class_from": None, "class_to": None}, "AMENDED", "医疗器械召回范围变更通知"),
        ({"added": (), "removed": ()}, "AMENDED", "医疗器械召回级别变更通知"),
        ({}, "AMENDED", "医疗器械召回范围及级别变更通知"),
    ],
)
def test_an_amended_notice_says_in_its_heading_that_and_what_it_changes(
    change: dict[str, Any], english: str, chinese: str
) -> None:
    for language, heading in (("en", english), ("zh-CN", chinese)):
        assert all(heading in part for part in said(NoticeKind.AMENDMENT, language, **change))


def test_an_amended_notice_names_lots_added_and_taken_out_and_the_class_before_and_now() -> None:
    for language, words in (
        ("en", ("Now also affected", "No longer affected", "from Class II to Class I")),
        ("zh-CN", ("新增召回批号", "不再召回的批号", "由二级召回调整为一级召回")),
    ):
        _, text, html, _ = said(NoticeKind.AMENDMENT, language)
        for part in (text, html):
            for fact in (*words, "SCMS-31-IE", "SCMS-07-IE", "SCMS-08-IE", CONTEXT.texts_in(language).hazard):
                assert fact in part
        same = {"added": (), "removed": (), "class_from": None, "class_to": None}
        _, text, html, sms = said(NoticeKind.AMENDMENT, language, recipient=RECIPIENT, **same)
        for part in (text, html, sms):
            assert not any(word in part for word in words)


def test_only_whose_own_lots_changed_reads_of_its_own_lots_and_only_whose_answer_stands_is_told_so() -> None:
    answered = changed(RECIPIENT, answer_stands=True)
    for language, again, stands in (
        ("en", "Please answer for all your lots", "Your answer stands"),
        ("zh-CN", "重新回复。", "继续有效"),
    ):
        _, text, html, _ = said(NoticeKind.AMENDMENT, language)
        assert (again in text, again in html, stands in text, stands in html) == (True, True, False, False)
        _, text, html, _ = said(NoticeKind.AMENDMENT, language, recipient=answered)
        assert (again in text, again in html, stands in text, stands in html) == (False, False, True, True)


@pytest.mark.parametrize("whole", [True, False])
def test_a_retraction_asks_nothing_frees_nothing_and_lists_the_lots(whole: bool) -> None:
    for language, words in (
        ("en", ("RETRACTED", "on hold until our quality department", "in writing")),
        ("zh-CN", ("医疗器械召回撤销通知", "无需回复", "书面放行")),
    ):
        subject, *bodies = said(NoticeKind.RETRACTION, language, whole=whole)
        assert words[0] in subject
        assert "URGENT" not in subject
        assert "紧急" not in subject
        for body in bodies:
            for fact in (*words, "RC-2026-000012", CONTEXT.firm_phone, RECIPIENT.link, "SCMS-10-IE"):
                assert fact in body
        assert not any(
            asked in body for body in bodies for asked in ("1=received", "Please answer", "请在", "STOP USE")
        )
        cancelled = {"en": "has been cancelled", "zh-CN": "现撤销召回"}[language]
        assert (cancelled in bodies[0], cancelled in bodies[1]) == (whole, whole)


def test_a_drill_of_an_amendment_or_retraction_says_so_first() -> None:
    for kind in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION):
        for language, word in (("en", "DRILL"), ("zh-CN", "【演练")):
            sms = RENDERER.preview(kind, Channel.SMS, language, changed(AMENDED, drill=True), TOLD_AGAIN)
            mail = RENDERER.preview(kind, Channel.EMAIL, language, changed(AMENDED, drill=True), TOLD_AGAIN)
            assert sms.text.startswith(word)
            assert str(mail.subject).startswith(word)


def test_an_amendment_without_its_change_is_no_notice() -> None:
    for kind in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION):
        with pytest.raises(NoticeTemplateError, match=kind.value):
            RENDERER.render_for_approval(kind, Channel.EMAIL, "en", CONTEXT)


def test_a_class_that_stays_is_no_change_of_class() -> None:
    same = NoticeChange(replaces_version=1, class_from=RecallClass.I, class_to=RecallClass.I)
    assert not same.class_changed
    assert not same.lots_changed
