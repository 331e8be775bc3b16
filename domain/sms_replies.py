"""Reads a recipient's SMS answer to a notice, in English and Chinese.

Only a whole message that is one known answer counts: "2 boxes left" must never be read as the answer
"2". Whatever is unclear goes to a person; nothing is guessed. Quantities need the reply page. A report of
harm is the exception: its words count wherever they stand, because missing one is worse than a false alarm.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.harm import mentions_harm
from domain.recall_number import RecallNumber, RecallNumberError


class SmsIntent(StrEnum):
    """What an SMS answer means."""

    HOLDING = "holding"
    """1: received, we have affected product. Acknowledges; quantities are still owed."""
    NONE_LEFT = "none_left"
    """2: received, no affected product left. Acknowledges and states zero on hand."""
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

_WORDS: Final[dict[SmsIntent, str]] = {
    SmsIntent.HOLDING: "1 一 壹",
    SmsIntent.NONE_LEFT: "2 二 贰",
    SmsIntent.NEEDS_HELP: "3 三 叁 help info callme 帮助 求助 请致电 请来电",
    SmsIntent.HARM: "4 四 肆 harm injury hurt adverseevent 伤害 受伤 不良事件",
    SmsIntent.ACKNOWLEDGED: "yes y ok okay ack acknowledged received confirmed 收到 已收到 收悉 已阅 确认 已确认 好的",
    # Twilio's default opt-out words, and those usual in China.
    SmsIntent.STOP: "stop stopall unsubscribe cancel end quit revoke optout t td n退订 退订 停止 取消订阅 拒收",
    SmsIntent.START: "start unstop 恢复订阅 订阅",
}
_INTENTS: Final = {word: intent for intent, words in _WORDS.items() for word in words.split()}
_NUMBER: Final = re.compile(r"\b(?:RC|RD)-\d{4}-\d{6}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SmsReply:
    """The reading of one message; `recall_no` when the message names a recall."""

    intent: SmsIntent
    recall_no: str | None = None

    @property
    def acknowledges(self) -> bool:
        """Whether the notice counts as received and understood."""
        return self.intent in ACKNOWLEDGES


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
    return SmsReply(intent, _known(numbers))


def _known(numbers: list[str]) -> str | None:
    try:
        return str(RecallNumber.parse(numbers[0])) if numbers else None
    except RecallNumberError:
        return None


def _counts(char: str) -> bool:
    # Letters, digits, ideographs and emoji; a question ("2?") is no answer.
    return char == "?" or unicodedata.category(char)[0] in "LNSC"
