"""What we text back to a recipient's SMS, in its language; empty where silence is right."""

from html import escape
from typing import Final

_TEXTS: Final = {
    "en": {
        "holding": "{recall}: thank you, receipt recorded. Please set the product aside and state quantities "
        "with the link in our message.",
        "none_left": "{recall}: thank you, recorded: received, none left. Please confirm quantities with the link in "
        "our message.",
        "acknowledged": "{recall}: thank you, receipt recorded. Please answer the questions with the link in our "
        "message.",
        "needs_help": "{recall}: thank you, we will call you.",
        "harm": "{recall}: thank you for telling us. Our safety staff have been alerted and will call you. Keep the "
        "product and do not use it.",
        "unclear": "{recall}: we could not read your answer and will call you. Or answer 1=received, have stock "
        "2=received, none left 3=call me 4=someone was harmed.",
        "which": "More than one recall is open for you. Please answer with its number, for example: 1 {recall}",
    },
    "zh": {
        "holding": "{recall}：已登记收到，谢谢。请隔离产品，并通过我们短信中的链接填报数量。",
        "none_left": "{recall}：已登记收到且无库存，谢谢。请通过我们短信中的链接确认数量。",
        "acknowledged": "{recall}：已登记收到，谢谢。请通过我们短信中的链接回答问题。",
        "needs_help": "{recall}：谢谢，我们会给您打电话。",
        "harm": "{recall}：感谢告知，已通知我公司安全负责人，将尽快与您电话联系。请保留产品，不要使用。",
        "unclear": "{recall}：未能识别您的回复，我们会给您打电话。"
        "也可回复 1收到有库存 2收到无库存 3请来电 4有人受到伤害。",
        "which": "您有多个未结束的召回。请在回复中注明编号，例如：1 {recall}",
    },
}


def answer_text(key: str, language: str, recall: str) -> str:
    """The text for an outcome; Chinese for any zh tag, English otherwise."""
    return _TEXTS["zh" if language.lower().startswith("zh") else "en"][key].format(recall=recall)


def twiml(text: str | None) -> str:
    """Twilio's answer document, with one message or none."""
    message = f"<Message>{escape(text)}</Message>" if text else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


__all__ = ["answer_text", "twiml"]
