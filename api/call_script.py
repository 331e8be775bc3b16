"""What a call says, as TwiML: the approved body filled with the recipient's own values, read twice, then one key.

Everything that depends on the recall is in the approved body, the menu of keys included; of our own there are only the
few words that answer a key, which are data: one file `templates/voice/words.<tag>.yaml` per language.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from twilio.twiml.voice_response import Gather, VoiceResponse

from api.page_languages import languages_in
from db.repositories.calls import CallRecord
from db.repositories.consignee_lots import ConsigneeLotRow
from domain.links import recipient_url
from domain.notice_body import ApprovedBody, fill
from domain.notice_content import RecipientValues, best_language
from domain.pace import PolicyClock
from domain.recipient_values import for_several_sites, recipient_values

_READINGS: Final = 2
_WAIT_SECONDS: Final = 10
"""For a key, after the second reading."""
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FOLDER: Final = Path(__file__).parents[1] / "templates" / "voice"
LANGUAGES: Final = languages_in(FOLDER, "words")


def spoken(
    call: CallRecord,
    lots: Sequence[ConsigneeLotRow],
    others: Sequence[tuple[CallRecord, Sequence[ConsigneeLotRow]]] = (),
) -> str:
    """The approved text of the call, filled; with `others`, the further sites of the person who is called.

    Raises:
        domain.notice_body.BodyError: the stored body is not the one that was approved.
    """
    body = ApprovedBody.from_json(call.body)
    clock = PolicyClock.starting(call.created_at, call.pace)
    # A call cannot speak an address: no voice body has the slot of the link.
    nowhere = recipient_url("https://none.invalid", "-")

    def values(each: CallRecord, received: Sequence[ConsigneeLotRow]) -> RecipientValues:
        return recipient_values(each, received, link=nowhere, since=call.since, clock=clock)

    own = values(call, lots)
    if others:
        every = sorted([(call, lots), *others], key=lambda each: (each[0].partner_name, each[0].consignee_id))
        sites = [(each.delivery_id, each.partner_name, values(each, received)) for each, received in every]
        own = for_several_sites(own, sites, link=nowhere)
    return fill(body, own).text


def script(text: str, language: str, key_url: str, *, before: str | None = None) -> str:
    """TwiML that reads the text twice and waits for a key; `before` names words that come first."""
    response, tag = VoiceResponse(), words("voice", language)
    if before is not None:
        response.say(words(before, language), language=tag)
    gather = Gather(input="dtmf", num_digits=1, timeout=_WAIT_SECONDS, action=key_url, method="POST")
    gather.say(_clean(text), language=tag, loop=_READINGS)
    response.append(gather)
    response.say(words("no_key", language), language=tag)
    response.hangup()
    return str(response)


def farewell(key: str, language: str) -> str:
    """TwiML that says what became of a key and ends the call."""
    response = VoiceResponse()
    response.say(words(key, language), language=words("voice", language))
    response.hangup()
    return str(response)


@cache
def words_in(language: str) -> dict[str, str]:
    """Our own words of a language that has a file; `voice` is the language tag that the provider's voices know."""
    read = yaml.safe_load((FOLDER / f"words.{language}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


def words(key: str, language: str) -> str:
    """Our own words in the language of the call, in English where it has none."""
    return words_in(best_language(language, LANGUAGES))[key]


def _clean(text: str) -> str:
    return _NOT_XML.sub(" ", text)


__all__ = ["LANGUAGES", "farewell", "script", "spoken", "words", "words_in"]
