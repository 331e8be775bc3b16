"""What the files of a notice are made of, put into its bodies when it is drafted, so that it is approved with them.

The letter is drawn here, once a language; `documents.notice_files` makes each recipient's files of it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml
from pydantic import ValidationError

from activities.notice_body import ApprovedBody
from documents.notice_pdf import Letter, notice_pdf
from domain.channels import Channel
from domain.notice_body import common_text, with_enclosed
from domain.notice_content import NoticeContext, NoticeKind, best_language
from domain.notice_enclosure import Enclosed, SheetWords, StoredLetter, carries_facts, carries_files
from domain.notice_kinds import ASKS_NOTHING, LADDER_KINDS, LETTER_KINDS
from domain.notice_machine import facts_of

_CARRY_THE_FIRST: Final = frozenset(LADDER_KINDS) - {NoticeKind.INITIAL}
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})


class WordsError(Exception):
    """The words of a language's sheet are missing or wrong; the message names the file."""


@lru_cache(maxsize=64)
def sheet_words(folder: Path, language: str) -> SheetWords:
    """Words of the own sheet in a language.

    Raises:
        WordsError: the file is missing or wrong.
    """
    path = folder / "_base" / f"sheet.{language}.yaml"
    try:
        return SheetWords.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WordsError(f"{path.name}: no such file") from None
    except (ValidationError, yaml.YAMLError) as error:
        raise WordsError(f"{path.name}: {error}") from None


async def enclose(
    bodies: Sequence[ApprovedBody], context: NoticeContext, templates: Path, names: Mapping[str, str] = _NO_NAMES
) -> list[ApprovedBody]:
    """The bodies with what their files are made of, and hashes over all of it; drawn beside the event loop.

    Args:
        names: by language of the recipient, the characters its names need beside those of the letters.

    Raises:
        WordsError: a language has no words for the sheet.
    """
    out = []
    known = {body.language for body in bodies}
    # The recipient's page says what was approved, so a notice of text messages and calls alone holds its facts as well.
    told = any(carries_facts(NoticeKind(body.kind), body.channel) for body in bodies)
    for body in bodies:
        kind = NoticeKind(body.kind)
        if not carries_facts(kind, body.channel) and (told or kind in LETTER_KINDS):
            out.append(body)
            continue
        enclosed = Enclosed(facts=facts_of(kind, body.language, context))
        if carries_files(kind, body.channel):
            of = NoticeKind.INITIAL if kind in _CARRY_THE_FIRST and _first(bodies, body) else kind
            words = sheet_words(templates, body.language)
            enclosed = enclosed.model_copy(update={"words": words, "letter_of": of})
            if of is kind:
                own = [text for tag, text in names.items() if best_language(tag, known) == body.language]
                further = "".join([*own, _characters(bodies, body.language, words, context)])
                letter = _letter(body, context, further)
                content, anchor = await asyncio.to_thread(notice_pdf, letter)
                stored = StoredLetter.of(content, anchor.as_json())
                enclosed = enclosed.model_copy(update={"letter": stored})
        out.append(with_enclosed(body, enclosed.as_json()))
    return out


def _first(bodies: Sequence[ApprovedBody], like: ApprovedBody) -> bool:
    wanted = (NoticeKind.INITIAL, like.channel, like.language)
    return any((body.kind, body.channel, body.language) == wanted for body in bodies)


def _letter(body: ApprovedBody, context: NoticeContext, further: str) -> Letter:
    return Letter(
        number=context.recall_no,
        language=body.language,
        firm=context.firm_name,
        issued_on=context.issued_on,
        text=common_text(body),
        urgent=context.urgent and NoticeKind(body.kind) not in ASKS_NOTHING,
        further=further,
    )


def _characters(bodies: Sequence[ApprovedBody], language: str, words: SheetWords, context: NoticeContext) -> str:
    """What the letters and sheets of one language are written with: one cut of the font serves them all."""
    removed = context.change.removed if context.change else ()
    shown = [text for product in context.products for text in (product.name, product.unit or "", *product.lots)]
    shown += [text for each in removed for text in (each.product, *each.lots)]
    shown += [common_text(body) for body in bodies if (body.channel, body.language) == (Channel.EMAIL, language)]
    return "".join(sorted(set("".join([*shown, *words.model_dump().values()]))))


__all__ = ["WordsError", "enclose", "sheet_words"]
