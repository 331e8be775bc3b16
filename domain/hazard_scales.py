"""The scales of the health-hazard evaluation, each degree with the criterion by which it is chosen.

Two assessors with the same facts must come to the same degree, so the criteria are part of the form: the API shows
them in its schema, `docs/assessment.md` repeats them word for word (a test compares), a console can print them in
both languages. The degrees themselves are ours; the law behind each scale is named with it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Seriousness(StrEnum):
    """How bad the harm would be for the group at risk, in rising order (21 CFR 7.41(a)(4), 803.3; MDR Art. 2(58))."""

    NONE = "none"
    MINOR_REVERSIBLE = "minor_reversible"
    TEMPORARY_OR_REVERSIBLE = "temporary_or_reversible"
    SERIOUS = "serious"
    DEATH = "death"


class Likelihood(StrEnum):
    """How likely harm of the stated seriousness is, in rising order (21 CFR 7.41(a)(5))."""

    REMOTE = "remote"
    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    PROBABLE = "probable"
    CERTAIN = "certain"


class Detectability(StrEnum):
    """How easily the user notices the defect before harm, from easily to not at all (21 CFR 7.42(a)(3))."""

    OBVIOUS = "obvious"
    WITH_CHECK = "with_check"
    NOT_DETECTABLE = "not_detectable"


class DefectEvidence(StrEnum):
    """What is known of the defect itself (21 CFR 7.41(a)(2), Order 29 Art. 12(3))."""

    SHOWN = "shown"
    SUSPECTED = "suspected"
    ASSURANCE_ONLY = "assurance_only"


class Answer(StrEnum):
    """Yes, no, or not known yet."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ScientificBasis(StrEnum):
    """What a conclusion rests on (21 CFR 7.41(a): documentation, or a statement that it is opinion)."""

    LITERATURE = "literature"
    STUDY = "study"
    TEST = "test"
    COMPLAINT_ANALYSIS = "complaint_analysis"
    RISK_FILE = "risk_file"
    OPINION = "opinion"


class PopulationGroup(StrEnum):
    """Who is exposed (21 CFR 7.41(a)(3))."""

    GENERAL = "general"
    NEWBORNS = "newborns"
    CHILDREN = "children"
    PREGNANT = "pregnant"
    ELDERLY = "elderly"
    SURGICAL = "surgical"
    CRITICALLY_ILL = "critically_ill"
    IMMUNOCOMPROMISED = "immunocompromised"
    CHRONICALLY_ILL = "chronically_ill"
    HEALTH_WORKERS = "health_workers"


class Criterion(NamedTuple):
    """When a degree is chosen, in both languages."""

    en: str
    zh: str


CRITERIA: Final[Mapping[StrEnum, Criterion]] = {
    Seriousness.NONE: Criterion(
        "Nobody is harmed even when the defect is met in use: looks, carton, a missing symbol, a nuisance.",
        "即使在使用中遇到缺陷也不会造成任何伤害：外观、外盒、缺少标识、使用不便。",
    ),
    Seriousness.MINOR_REVERSIBLE: Criterion(
        "Passes by itself without treatment: irritation, discomfort, a repeated step, an effect somewhat too weak.",
        "无需治疗即可自行恢复：刺激、不适、重复操作、效果略弱。",
    ),
    Seriousness.TEMPORARY_OR_REVERSIBLE: Criterion(
        "Needs medical attention or a changed treatment and passes wholly: a repeated procedure, a treatable local "
        "infection, a delayed or wrong dose without lasting effect.",
        "需要医疗处理或改变治疗且可完全恢复：重复操作、可治疗的局部感染、无持久影响的延误或剂量错误。",
    ),
    Seriousness.SERIOUS: Criterion(
        "The facts at hand name or clearly imply harm that threatens life, impairs the body for good, or needs an "
        "intervention or hospital stay to prevent that; lost therapy or a wrong diagnosis counts when it leads there.",
        "已知事实指出或明确表明：危及生命、造成永久性损伤，或须采取干预或住院以避免此类损伤；"
        "导致上述后果的治疗中断或误诊同样计入。",
    ),
    Seriousness.DEATH: Criterion(
        "The facts at hand name or clearly imply death as a credible outcome for the group at risk.",
        "已知事实指出或明确表明，死亡是风险人群的可信后果。",
    ),
    Likelihood.CERTAIN: Criterion(
        "Happens whenever an affected unit is used.",
        "每次使用受影响产品时都会发生。",
    ),
    Likelihood.PROBABLE: Criterion(
        "Expected from ordinary use: the defect shows often, or such harm was reported, and nothing stands between.",
        "正常使用即可预期发生：缺陷经常出现或已有此类伤害报告，且无任何防护措施。",
    ),
    Likelihood.POSSIBLE: Criterion(
        "A real failure of affected units that ordinary use can bring out, and harm follows without a second, "
        "independent failure; that nobody has reported it yet changes nothing.",
        "受影响产品确有的失效，正常使用即可引发，且无需第二个独立失效即造成伤害；尚无报告并不改变判断。",
    ),
    Likelihood.UNLIKELY: Criterion(
        "Needs a second, independent failure, an unusual circumstance, or a safeguard that normally works to be "
        "missed (alarm, backup, check before use); or the defect is only suspected in few units.",
        "须有第二个独立失效、异常情况，或通常有效的防护措施（报警、备用、使用前检查）失效；或仅怀疑少数产品存在缺陷。",
    ),
    Likelihood.REMOTE: Criterion(
        "Only in theory: several independent failures would have to meet, or what is wrong has no bearing on safety.",
        "仅为理论可能：须多个独立失效同时发生，或问题与安全性无关。",
    ),
    Detectability.OBVIOUS: Criterion(
        "The user sees, hears or feels it before or at first use without looking for it.",
        "使用者无需查找，在使用前或首次使用时即可看到、听到或感觉到。",
    ),
    Detectability.WITH_CHECK: Criterion(
        "A check the user normally makes, or an alarm, shows it before harm.",
        "使用者通常进行的检查或报警可在伤害发生前发现。",
    ),
    Detectability.NOT_DETECTABLE: Criterion(
        "Nothing the user normally does shows it before harm.",
        "使用者的常规操作无法在伤害发生前发现。",
    ),
    DefectEvidence.SHOWN: Criterion(
        "Found in units by complaint, test or inspection, or in every unit by its design, software or label.",
        "经投诉、检测或检查在产品中发现，或因设计、软件、标签而存在于每件产品。",
    ),
    DefectEvidence.SUSPECTED: Criterion(
        "The cause is known and units are likely to have it, but none was found yet.",
        "原因已知且产品可能存在缺陷，但尚未发现实例。",
    ),
    DefectEvidence.ASSURANCE_ONLY: Criterion(
        "No unit is known or likely to be defective: a requirement of production, control or market access was not "
        "met, so that conformity is not assured (for example a process not validated, no clearance).",
        "未知也不大可能有缺陷产品：未满足生产、控制或上市要求，因而无法保证符合性（如工艺未验证、未获批准）。",
    ),
}
"""What each degree means; chosen on the facts at hand, not on the worst that can be imagined."""


def described(scale: type[StrEnum], lead: str) -> str:
    """`lead` and every degree of `scale` with its criterion, for the description of a field."""
    return " ".join([lead, *(f"`{degree.value}`: {CRITERIA[degree].en}" for degree in scale)])


__all__ = [
    "CRITERIA",
    "Answer",
    "Criterion",
    "DefectEvidence",
    "Detectability",
    "Likelihood",
    "PopulationGroup",
    "ScientificBasis",
    "Seriousness",
    "described",
]
