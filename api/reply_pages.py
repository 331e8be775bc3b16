"""Renders the recipient page: phone first, no script, two languages, readable by a screen reader.

Each step is one whole form; what earlier steps said is carried along in hidden fields, so the page needs no
session and the browser's back button works. Context and field names: `templates/pages/README.md`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from api.page_words import PAGES, catalogue, css, environment, languages, placeholders, words
from api.reply_fields import (
    GONE,
    LANGUAGES,
    MAX_RECEIVERS,
    PATIENTS,
    QUANTITIES,
    SEVERITIES,
    FieldError,
    PageChange,
    PageLot,
    ReplyStep,
    all_fields,
    list_of,
    step_fields,
)
from api.reply_form import receivers_shown
from api.reply_harm import harm_in
from api.reply_patients import asks_patients
from api.reply_receivers import asks_why_unnamed
from api.scan_check import Scan
from domain.notice_content import best_language, plain

REFUSALS: Final = (
    "malformed",
    "signature",
    "expired",
    "closed",
    "form_reused",
    "foreign",
    "too_many",
    "unavailable",
    "slow",
    "too_large",
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
class EarlierAnswer:
    """One recorded answer as the recipient is shown it: figures, never who gave it."""

    reference: str
    at: str
    affected: bool
    values: Mapping[str, str]
    """Field values of its figures, as `ReplyPage.values`."""


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
    reason: str | None
    hazard: str | None
    """As the released notice says them; None where it cannot be read, and then the page leads back to the notice."""
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
    scan: Scan | None = None
    """What a code just scanned or typed turned out to be."""
    resumed_on: str | None = None
    """Day of the draft that is shown again; it can be given up."""
    push: bool = False
    """A browser of this person can be subscribed to notices."""
    sites: bool = False
    """The link leads to all sites of the notice."""
    history: tuple[EarlierAnswer, ...] = ()
    """Answers recorded so far, the newest first."""
    hospital: bool = False
    """It has patients: asked for counts where it used units."""
    unrecorded: bool = False
    """Figures changed after the form was sent are not recorded; the recorded ones are shown."""
    labels: bool = False
    """Returns were approved for it: there are labels to print."""
    questioned: bool = False
    """The answer on record does not fit what was delivered: a query is open."""


def page_language(asked: str | None, partner_language: str) -> str:
    """The language of the page: what the visitor chose, else the partner's, else English."""
    return asked if asked in LANGUAGES else best_language(partner_language, LANGUAGES)


def render_reply_page(step: ReplyStep, lang: str, page: ReplyPage) -> str:
    """HTML of one step.

    Raises:
        ValueError: `lang` is none of LANGUAGES.
    """
    m = words(lang)
    heading = m(f"{step.value}_heading")
    shown = receivers_shown({**page.values, **({"more": "yes"} if page.more_receivers else {})}, page.lots)
    own = set(step_fields(step, page.lots, shown))
    carried = [(name, page.values[name]) for name in all_fields(page.lots) if name not in own and page.values.get(name)]
    passed = [lot for lot in page.lots if page.values.get(f"passed_on-{lot.key}", "0").strip("0.")]
    return (
        environment()
        .get_template("reply.html.j2")
        .render(
            page=page,
            step=step.value,
            lang=lang,
            m=m,
            css=css(),
            plain=plain,
            heading=heading,
            number=_NUMBER_OF_STEP.get(step),
            total=_TOTAL_STEPS,
            languages=languages(),
            carried=carried,
            errors=[_told(error, page, m) for error in page.errors],
            receivers=shown,
            max_receivers=MAX_RECEIVERS,
            severities=SEVERITIES,
            harm_reported=harm_in(page.values) is not None,
            passed_on_lots=passed,
            listed=list_of(page.lots),
            ask_confirmation=_asks_confirmation(page),
            ask_unnamed=asks_why_unnamed(page.values, page.errors, shown),
            figures=(*QUANTITIES, *GONE),
            patients=PATIENTS,
            ask_patients=asks_patients(page.values, page.lots, hospital=page.hospital),
            script=step is ReplyStep.LOTS,
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
        environment()
        .get_template("refused.html.j2")
        .render(
            reason=reason,
            lang=lang,
            m=words(lang),
            css=css(),
            csp_nonce=csp_nonce,
            languages=languages(),
            firm_name=firm_name,
            firm_phone=firm_phone,
            firm_email=firm_email,
        )
    )


def _told(error: FieldError, page: ReplyPage, m: Callable[..., str]) -> dict[str, str]:
    label = ""
    if error.lot_key is not None:
        lot = next((lot for lot in page.lots if lot.key == error.lot_key), None)
        name = error.field.rpartition("-")[0]
        named = [m(name)] if name in (*QUANTITIES, *GONE) else []
        label = " – ".join([*([m("lot_label", lot=lot.lot)] if lot else []), *named])
    elif error.receiver is not None:
        label = m("receiver_legend", number=error.receiver + 1)
    elif error.field in {f"patients_{name}" for name in PATIENTS}:
        label = m(error.field)
    return {"field": error.field, "text": m(error.message, label=label, **error.values)}


def _asks_confirmation(page: ReplyPage) -> bool:
    too_many = any(error.message in {"error_more_than_shipped", "error_confirm_reason"} for error in page.errors)
    return too_many or page.values.get("confirm_quantities") == "yes"


__all__ = [
    "PAGES",
    "REFUSALS",
    "EarlierAnswer",
    "ReplyPage",
    "ReplyStep",
    "catalogue",
    "page_language",
    "placeholders",
    "render_refused_page",
    "render_reply_page",
]
