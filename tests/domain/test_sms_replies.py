"""SMS answers: only a whole message that is one known answer counts, everything else goes to a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sms_replies import SmsIntent, SmsReply, parse_sms_reply

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("body", "intent"),
    [
        ("1", SmsIntent.HOLDING),
        (" 1. ", SmsIntent.HOLDING),
        ("１", SmsIntent.HOLDING),
        ("“1”", SmsIntent.HOLDING),
        ("1\ufe0f\u20e3", SmsIntent.HOLDING),
        ("2", SmsIntent.NONE_LEFT),
        ("二", SmsIntent.NONE_LEFT),
        ("2。", SmsIntent.NONE_LEFT),
        ("3", SmsIntent.NEEDS_HELP),
        ("Call me!", SmsIntent.NEEDS_HELP),
        ("HELP", SmsIntent.NEEDS_HELP),
        ("请致电", SmsIntent.NEEDS_HELP),
        ("4", SmsIntent.HARM),
        ("Injury!", SmsIntent.HARM),
        ("受伤", SmsIntent.HARM),
        ("1 and a patient was injured", SmsIntent.HARM),
        ("患者死亡，请来电", SmsIntent.HARM),
        ("nobody was hurt", SmsIntent.UNCLEAR),
        ("YES", SmsIntent.ACKNOWLEDGED),
        ("Ack", SmsIntent.ACKNOWLEDGED),
        ("收到", SmsIntent.ACKNOWLEDGED),
        ("收到！", SmsIntent.ACKNOWLEDGED),
        ("STOP", SmsIntent.STOP),
        ("opt-out", SmsIntent.STOP),
        ("TD", SmsIntent.STOP),
        ("退订", SmsIntent.STOP),
        ("Start", SmsIntent.START),
        ("", SmsIntent.UNCLEAR),
        ("2 boxes left", SmsIntent.UNCLEAR),
        ("1 or 2", SmsIntent.UNCLEAR),
        ("1 2", SmsIntent.UNCLEAR),
        ("12", SmsIntent.UNCLEAR),
        ("1.5", SmsIntent.UNCLEAR),
        ("2?", SmsIntent.UNCLEAR),
        ("not 1", SmsIntent.UNCLEAR),
        ("没收到", SmsIntent.UNCLEAR),
        ("未收到", SmsIntent.UNCLEAR),
        ("no", SmsIntent.UNCLEAR),
        ("don't stop", SmsIntent.UNCLEAR),
        ("+1", SmsIntent.UNCLEAR),
    ],
)
def test_an_answer_counts_only_as_a_whole(body: str, intent: SmsIntent) -> None:
    assert parse_sms_reply(body) == SmsReply(intent)


@pytest.mark.parametrize(
    ("words", "intent", "tongue"),
    [
        ("STOP stop. STOPALL unsubscribe CANCEL End QUIT revoke opt-out TD T", SmsIntent.STOP, None),
        ("退订 退订。 N退订 退訂 停止 取消订阅 取消訂閱 拒收", SmsIntent.STOP, "zh"),
        ("BAJA Parar alto cancelar detener", SmsIntent.STOP, "es"),
        ("START unstop", SmsIntent.START, None),
        ("恢复订阅 恢復訂閱 重新订阅 订阅", SmsIntent.START, "zh"),
        ("REANUDAR Alta", SmsIntent.START, "es"),
    ],
)
def test_stop_and_start_are_understood_in_every_language_and_the_language_is_known(
    words: str, intent: SmsIntent, tongue: str | None
) -> None:
    for word in words.split():
        read = parse_sms_reply(word)
        assert (read.intent, read.tongue) == (intent, tongue), word
    assert parse_sms_reply("Dar de baja").intent is SmsIntent.STOP


@pytest.mark.parametrize(
    "body", ["no paren", "baja 2 cajas", "停止使用了", "请不要停止", "already started", "alta médica"]
)
def test_a_sentence_that_holds_such_a_word_is_no_opt_out(body: str) -> None:
    assert parse_sms_reply(body).intent is SmsIntent.UNCLEAR


def test_a_recall_number_in_the_answer_is_kept_beside_it() -> None:
    assert parse_sms_reply("rc-2026-000007 1") == SmsReply(SmsIntent.HOLDING, "RC-2026-000007")
    assert parse_sms_reply("收到 RC-2026-000007") == SmsReply(SmsIntent.ACKNOWLEDGED, "RC-2026-000007")


def test_an_answer_to_two_recalls_at_once_is_unclear() -> None:
    assert parse_sms_reply("1 RC-2026-000007 RC-2026-000008") == SmsReply(SmsIntent.UNCLEAR)


def test_harm_under_two_recalls_is_still_harm() -> None:
    read = parse_sms_reply("RC-2026-000008 and RC-2026-000007: patient died")
    assert read == SmsReply(SmsIntent.HARM, "RC-2026-000008")
    assert not read.acknowledges


def test_a_recall_number_that_cannot_exist_is_not_kept() -> None:
    assert parse_sms_reply("1 RC-2026-000000") == SmsReply(SmsIntent.HOLDING, None)


def test_a_call_for_help_or_a_stop_acknowledges_nothing() -> None:
    acknowledging = {
        body for body in ("1", "2", "3", "YES", "STOP", "START", "x") if parse_sms_reply(body).acknowledges
    }
    assert acknowledging == {"1", "2", "YES"}


@given(st.text(max_size=400))
def test_any_message_has_a_reading(body: str) -> None:
    assert parse_sms_reply(body).intent in set(SmsIntent)


@given(st.sampled_from(["1", "2"]), st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_a_digit_among_words_is_never_an_answer(digit: str, words: str) -> None:
    for body in (f"{digit} {words}", f"{words} {digit}"):
        assert parse_sms_reply(body).intent in {SmsIntent.UNCLEAR, SmsIntent.HARM}
