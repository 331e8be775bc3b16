"""Reads a recipient's SMS answer to a notice, in English, Chinese and Spanish.

Only a whole message that is one known answer counts: "2 boxes left" must never be read as the answer
"2". Whatever is unclear goes to a person; nothing is guessed. Quantities need the reply page. A report of
harm is the exception: its words count wherever they stand, because missing one is worse than a false alarm.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from domain.harm import mentions_harm
from domain.recall_number import RecallNumber, RecallNumberError


class SmsIntent(StrEnum):
    """What an SMS answer means."""

    HOLDING = "holding"
    """1: received, we have affected product. Acknowledges; quantities are still owed."""
    NONE_LEFT = "none_left"
    """2: received, no affected product left. Acknowledges only: what became of the units is still asked, lot by lot."""
    NEEDS_HELP = "needs_help"
    """3: call me. Opens a task for a person; it is no acknowledgement."""
    HARM = "harm"
    """4: somebody was or may have been harmed. Opens a complaint and pages a person; it is no acknowledgement."""
    ACKNOWLEDGED = "acknowledged"
    """Received and understood, nothing said about the product: the questions stay open."""
    STOP = "stop"
    """Opt-out: no further SMS to this number; other channels and the case take over."""
    START = "start"
    """Takes an opt-out back."""
    UNCLEAR = "unclear"


ACKNOWLEDGES: Final = frozenset({SmsIntent.HOLDING, SmsIntent.NONE_LEFT, SmsIntent.ACKNOWLEDGED})
"""Answers after which the recipient is not reminded of the notice itself again."""

_WORDS: Final[dict[str, dict[SmsIntent, str]]] = {
    "any": {
        SmsIntent.HOLDING: "1",
        SmsIntent.NONE_LEFT: "2",
        SmsIntent.NEEDS_HELP: "3 help info",
        SmsIntent.HARM: "4",
        # Twilio's default opt-out words.
        SmsIntent.STOP: "stop stopall unsubscribe cancel end quit revoke optout t td",
        SmsIntent.START: "start unstop",
    },
    "en": {
        SmsIntent.NEEDS_HELP: "callme",
        SmsIntent.HARM: "harm injury hurt adverseevent",
        SmsIntent.ACKNOWLEDGED: "yes y ok okay ack acknowledged received confirmed",
    },
    "zh": {
        SmsIntent.HOLDING: "一 壹",
        SmsIntent.NONE_LEFT: "二 贰",
        SmsIntent.NEEDS_HELP: "三 叁 帮助 求助 请致电 请来电",
        SmsIntent.HARM: "四 肆 伤害 受伤 不良事件",
        SmsIntent.ACKNOWLEDGED: "收到 已收到 收悉 已阅 确认 已确认 好的",
        SmsIntent.STOP: "n退订 退订 退訂 停止 取消订阅 取消訂閱 拒收",
        SmsIntent.START: "恢复订阅 恢復訂閱 重新订阅 订阅 訂閱",
    },
    "es": {
        SmsIntent.NEEDS_HELP: "ayuda llámenme llamenme llámeme llameme",
        SmsIntent.HARM: "daño daños dano danos herido heridos heridas lesión lesion lesiones",
        SmsIntent.ACKNOWLEDGED: "sí si recibido recibida recibidos confirmado confirmo deacuerdo",
        SmsIntent.STOP: "parar alto cancelar baja dardebaja detener",
        SmsIntent.START: "reanudar alta dardealta",
    },
}
"""Whole answers by language; a message may be in any of them, whatever the notice was written in."""
_INTENTS: Final = {
    word: intent for table in _WORDS.values() for intent, words in table.items() for word in words.split()
}
_TONGUE: Final = {
    word: tongue
    for tongue, table in _WORDS.items()
    if tongue != "any"
    for words in table.values()
    for word in words.split()
}
_NUMBER: Final = re.compile(r"\b(?:RC|RD)-\d{4}-\d{6}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SmsReply:
    """The reading of one message; `recall_no` when the message names a recall."""

    intent: SmsIntent
    recall_no: str | None = None
    tongue: str | None = field(default=None, compare=False)
    """Language of the word, where it is of one language only: whoever writes it reads an answer in it."""

    @property
    def acknowledges(self) -> bool:
        """Whether the notice counts as received and understood."""
        return self.intent in ACKNOWLEDGES


def as_kept(body: str) -> str:
    """A text as it is kept and read: without control characters, at most 1,600 characters (the longest SMS)."""
    return "".join(char for char in body if char.isprintable() or char in "\n\t")[:1600]


def parse_sms_reply(body: str) -> SmsReply:
    """The meaning of an SMS body; full-width digits, case, spaces and punctuation do not matter.

    A message that names more than one recall is unclear, unless it speaks of harm: then the recall it names first.
    """
    text = unicodedata.normalize("NFKC", body[:1600])
    numbers = list(dict.fromkeys(match.upper() for match in _NUMBER.findall(text)))
    rest = _NUMBER.sub("", text)
    word = "".join(char for char in rest.casefold() if _counts(char))
    intent = _INTENTS.get(word, SmsIntent.UNCLEAR)
    if intent is SmsIntent.UNCLEAR and mentions_harm(rest):
        intent = SmsIntent.HARM
    if len(numbers) > 1 and intent is not SmsIntent.HARM:
        return SmsReply(SmsIntent.UNCLEAR)
    return SmsReply(intent, _known(numbers), _TONGUE.get(word))


def _known(numbers: list[str]) -> str | None:
    try:
        return str(RecallNumber.parse(numbers[0])) if numbers else None
    except RecallNumberError:
        return None


def _counts(char: str) -> bool:
    # Letters, digits, ideographs and emoji; a question ("2?") is no answer.
    return char == "?" or unicodedata.category(char)[0] in "LNSC"
