"""Renders the page on which an expert outside the firm reads the facts and answers; no script, two languages.

It shows the recall's own texts, the evaluation and what the rules propose: no names of staff, consignees or patients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Final

from api.page_languages import languages_in
from api.page_templates import css, environment_of, messages, speaker
from db.repositories.expert_reviews import ExpertAnswer, ReviewFile
from domain.hazard import HazardEvaluation
from domain.hazard_scales import CRITERIA, DefectEvidence, Detectability, Likelihood, Seriousness
from domain.levels import RecallClass
from domain.notice_content import best_language

FOLDER: Final = Path(__file__).parents[1] / "templates" / "expert"
LANGUAGES: Final = languages_in(FOLDER)
FIELDS: Final = ("agrees", "recall_class", "rationale", "name", "qualification")
_LONGEST: Final = {"rationale": 4000, "name": 200, "qualification": 500}
Words = Callable[..., str]


@dataclass(frozen=True, slots=True)
class ExpertPage:
    """All one page needs; every text is escaped by the template."""

    action: str
    csp_nonce: str
    number: str
    firm_name: str
    firm_phone: str
    firm_email: str
    drill: bool = False
    question: str = ""
    product_line: str = ""
    reason: str = ""
    hazard: str = ""
    due: str = ""
    factors: Sequence[tuple[str, Sequence[str]]] = ()
    """(key of the heading, lines) per factor of the evaluation."""
    proposed: Sequence[tuple[str, str, Sequence[str], Sequence[str]]] = ()
    """(jurisdiction, its own term, reasons, open questions)."""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[tuple[str, str]] = ()
    """(field, key of the message)."""
    reference: str | None = None
    """Set once the answer is recorded."""


def facts_of(file: ReviewFile, lang: str) -> dict[str, object]:
    """What the page shows of the record, in the reader's language where we have it."""
    recall, review = file.recall, file.review
    texts = recall.translations.get(lang, {}) if lang != recall.texts_language else {}
    evaluation = HazardEvaluation.model_validate(file.evaluation.body["evaluation"])
    return {
        "number": recall.number,
        "drill": recall.drill,
        "question": review.question,
        "product_line": review.product_line,
        "reason": texts.get("reason", recall.reason),
        "hazard": texts.get("hazard", recall.hazard),
        "due": f"{review.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "factors": _factors(evaluation, words(lang), lang),
        "proposed": tuple((row.jurisdiction, row.local_term, *_reasons(row.reasons, lang)) for row in file.proposed),
    }


def _factors(form: HazardEvaluation, m: Words, lang: str) -> list[tuple[str, list[str]]]:
    def degree(value: Seriousness | Likelihood | Detectability | DefectEvidence) -> str:
        return CRITERIA[value].zh if lang == "zh-CN" else CRITERIA[value].en

    occurred, effects, setting = form.occurred, form.consequences, form.present_setting
    counts = m(
        "occurred_counts",
        deaths=occurred.deaths,
        serious=occurred.serious_injuries,
        other=occurred.other_injuries,
    )
    shown = [
        ("occurred", [counts, m(f"malfunction_{_yes(occurred.malfunction_in_use)}"), occurred.rationale]),
        (
            "existing_conditions",
            [m(f"aggravating_{_yes(form.existing_conditions.aggravating)}"), form.existing_conditions.rationale],
        ),
        ("population", [", ".join(form.population.groups), form.population.rationale]),
        ("seriousness", [degree(form.seriousness.degree), form.seriousness.rationale]),
        ("likelihood", [degree(form.likelihood.degree), form.likelihood.rationale]),
        (
            "consequences",
            [
                m("consequences_both", immediate=degree(effects.immediate), long_range=degree(effects.long_range)),
                effects.rationale,
            ],
        ),
        ("detectability", [degree(form.detectability.degree), form.detectability.rationale]),
    ]
    if setting is not None:
        facts = m(
            "setting_facts",
            can_injure=setting.can_injure.value,
            defect=degree(setting.defect),
            basis=", ".join(setting.basis),
        )
        shown.append(("present_setting", [facts, setting.rationale]))
    return shown


def _reasons(reasons: Sequence[Mapping[str, object]], lang: str) -> tuple[list[str], list[str]]:
    """(rules that fired, questions that are open)."""
    fired = [
        str(each.get("reason_zh") or each["reason"]) if lang == "zh-CN" else str(each["reason"])
        for each in reasons
        if each.get("id") != "review"
    ]
    return fired, [str(each["reason"]) for each in reasons if each.get("id") == "review"]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def read_answer(form: Mapping[str, str]) -> tuple[ExpertAnswer | None, dict[str, str], list[tuple[str, str]]]:
    """(answer if it is complete, values as given, what is missing)."""
    values = {name: form.get(name, "").replace("\r\n", "\n").replace("\x00", "").strip() for name in FIELDS}
    errors = []
    if values["agrees"] not in ("yes", "no"):
        errors.append(("agrees", "error_agrees"))
    if values["agrees"] == "no" and values["recall_class"] not in set(RecallClass):
        errors.append(("recall_class", "error_class"))
    for name, longest in _LONGEST.items():
        if not 0 < len(values[name]) <= longest:
            errors.append((name, f"error_{name}"))
    if errors:
        return None, values, errors
    agrees = values["agrees"] == "yes"
    answer = ExpertAnswer(
        agrees=agrees,
        recall_class=None if agrees else values["recall_class"],
        rationale=values["rationale"],
        name=values["name"],
        qualification=values["qualification"],
    )
    return answer, values, []


def render_expert_page(page: ExpertPage, lang: str) -> str:
    """HTML of the page, or of the thanks once `page.reference` is set."""
    return (
        environment_of(FOLDER)
        .get_template("page.html.j2")
        .render(
            page=page,
            lang=lang,
            m=words(lang),
            css=css(),
            languages=[(each, catalogue(each)["language_name"]) for each in LANGUAGES],
        )
    )


def expert_language(asked: str | None, own: str) -> str:
    """What the visitor chose, else the expert's own language, else English."""
    return asked if asked in LANGUAGES else best_language(own, LANGUAGES)


def catalogue(lang: str) -> dict[str, str]:
    """All messages of a language the page speaks."""
    return messages(FOLDER, lang)


def words(lang: str) -> Words:
    """Messages by key."""
    return speaker(catalogue(lang))


__all__ = [
    "ExpertPage",
    "catalogue",
    "expert_language",
    "facts_of",
    "read_answer",
    "render_expert_page",
]
