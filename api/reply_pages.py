"""Renders the recipient page: phone first, no script, two languages, readable by a screen reader.

Each step is one whole form; what earlier steps said is carried along in hidden fields, so the page needs no
session and the browser's back button works. Context and field names: `templates/pages/README.md`.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.reply_fields import (
    LANGUAGES,
    MAX_RECEIVERS,
    SEVERITIES,
    FieldError,
    PageChange,
    PageLot,
    ReplyStep,
    all_fields,
    step_fields,
)
from api.reply_form import receivers_shown
from api.reply_harm import harm_in
from domain.notice_content import best_language, plain

PAGES: Final = Path(__file__).parents[1] / "templates" / "pages"
REFUSALS: Final = (
    "malformed",
    "signature",
    "expired",
    "closed",
    "form_reused",
    "foreign",
    "too_many",
    "unavailable",
)
"""Reasons `render_refused_page` has words for."""
_TOTAL_STEPS: Final = 4
_NUMBER_OF_STEP: Final = {
    ReplyStep.ACKNOWLEDGE: 1,
    ReplyStep.AFFECTED: 2,
    ReplyStep.LOTS: 3,
    ReplyStep.PASSED_ON: 3,
    ReplyStep.PERSON: 4,
}


@dataclass(frozen=True, slots=True)
class ReplyPage:
    """All one page needs; every text is escaped by the template."""

    action: str
    """Path the form posts to and the links lead back to: `/r/<token>`."""
    csp_nonce: str
    """Nonce of the one `<style>`: `style-src 'nonce-...'`."""
    form_id: str
    """One-time id of the answer, made by the first GET; a repeat of it changes nothing."""
    recall_no: str
    firm_name: str
    firm_phone: str
    firm_email: str
    recipient_name: str
    products: tuple[str, ...]
    reason: str
    hazard: str
    lots: tuple[PageLot, ...]
    texts_language: str = "en"
    """Language of `reason` and `hazard`."""
    urgent: bool = True
    drill: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    """Field values so far (`FormReading.values`, or an earlier answer that is being corrected)."""
    errors: tuple[FieldError, ...] = ()
    more_receivers: bool = False
    """The visitor asked for one more receiver block."""
    harm_told: bool = False
    """Harm was reported just now, beside the step that is shown again."""
    reference: str | None = None
    """Shown on the last page."""
    change: PageChange | None = None
    """What the newest notice changed for this recipient."""


def page_language(asked: str | None, partner_language: str) -> str:
    """The language of the page: what the visitor chose, else the partner's, else English."""
    return asked if asked in LANGUAGES else best_language(partner_language, LANGUAGES)


def render_reply_page(step: ReplyStep, lang: str, page: ReplyPage) -> str:
    """HTML of one step.

    Raises:
        ValueError: `lang` is none of LANGUAGES.
    """
    m = _words(lang)
    heading = m(f"{step.value}_heading")
    shown = receivers_shown({**page.values, **({"more": "yes"} if page.more_receivers else {})}, page.lots)
    own = set(step_fields(step, page.lots, shown))
    carried = [(name, page.values[name]) for name in all_fields(page.lots) if name not in own and page.values.get(name)]
    passed = [lot for lot in page.lots if page.values.get(f"passed_on-{lot.key}", "0").strip("0.")]
    return (
        _environment()
        .get_template("reply.html.j2")
        .render(
            page=page,
            step=step.value,
            lang=lang,
            m=m,
            css=_css(),
            plain=plain,
            heading=heading,
            number=_NUMBER_OF_STEP.get(step),
            total=_TOTAL_STEPS,
            languages=_languages(),
            carried=carried,
            errors=[_told(error, page, m) for error in page.errors],
            receivers=shown,
            max_receivers=MAX_RECEIVERS,
            severities=SEVERITIES,
            harm_reported=harm_in(page.values) is not None,
            passed_on_lots=passed,
            ask_confirmation=_asks_confirmation(page),
        )
    )


def render_refused_page(
    reason: str, lang: str, *, csp_nonce: str, firm_name: str, firm_phone: str, firm_email: str
) -> str:
    """HTML for a link or form that is refused; it tells nothing about any recall.

    Raises:
        ValueError: unknown reason or language.
    """
    if reason not in REFUSALS:
        raise ValueError(f"reason: expected one of {', '.join(REFUSALS)}")
    return (
        _environment()
        .get_template("refused.html.j2")
        .render(
            reason=reason,
            lang=lang,
            m=_words(lang),
            css=_css(),
            csp_nonce=csp_nonce,
            languages=_languages(),
            firm_name=firm_name,
            firm_phone=firm_phone,
            firm_email=firm_email,
        )
    )


@lru_cache(maxsize=8)
def catalogue(lang: str) -> dict[str, str]:
    """All messages of a language.

    Raises:
        ValueError: there is no such language.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"lang: expected one of {', '.join(LANGUAGES)}")
    read = yaml.safe_load((PAGES / f"messages.{lang}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


def placeholders(text: str) -> set[str]:
    """Names a message wants filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _words(lang: str) -> Callable[..., str]:
    words = catalogue(lang)

    def message(key: str, **values: object) -> str:
        # Values are only ever arguments: braces inside them are not read again.
        return words[key].format_map(values)

    return message


def _told(error: FieldError, page: ReplyPage, m: Callable[..., str]) -> dict[str, str]:
    label = ""
    if error.lot_key is not None:
        lot = next((lot for lot in page.lots if lot.key == error.lot_key), None)
        name = error.field.rpartition("-")[0]
        named = [m(name)] if name in {"on_hand", "held", "used", "passed_on"} else []
        label = " – ".join([*([m("lot_label", lot=lot.lot)] if lot else []), *named])
    elif error.receiver is not None:
        label = m("receiver_legend", number=error.receiver + 1)
    return {"field": error.field, "text": m(error.message, label=label, **error.values)}


def _asks_confirmation(page: ReplyPage) -> bool:
    too_many = any(error.message == "error_more_than_shipped" for error in page.errors)
    return too_many or page.values.get("confirm_quantities") == "yes"


def _languages() -> list[tuple[str, str]]:
    return [(lang, catalogue(lang)["language_name"]) for lang in LANGUAGES]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _css() -> Markup:
    return Markup((PAGES / "reply.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


__all__ = [
    "REFUSALS",
    "ReplyPage",
    "ReplyStep",
    "catalogue",
    "page_language",
    "placeholders",
    "render_refused_page",
    "render_reply_page",
]
