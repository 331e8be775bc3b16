"""What we text back to a recipient's SMS, in its language; empty where silence is right.

The words are data: one file `templates/sms/answers.<tag>.yaml` per language.
"""

from functools import cache
from html import escape
from pathlib import Path
from typing import Final

import yaml

from api.page_languages import languages_in
from domain.notice_content import best_language

FOLDER: Final = Path(__file__).parents[1] / "templates" / "sms"
LANGUAGES: Final = languages_in(FOLDER, "answers")


@cache
def answers(language: str) -> dict[str, str]:
    """The texts of a language that has a file."""
    read = yaml.safe_load((FOLDER / f"answers.{language}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


def answer_text(key: str, language: str, recall: str) -> str:
    """The text for an outcome in the language of this tag, else in English."""
    return answers(best_language(language, LANGUAGES))[key].format(recall=recall)


def twiml(text: str | None) -> str:
    """Twilio's answer document, with one message or none."""
    message = f"<Message>{escape(text)}</Message>" if text else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


__all__ = ["LANGUAGES", "answer_text", "answers", "twiml"]
