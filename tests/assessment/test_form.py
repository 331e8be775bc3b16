"""The evaluation form: what each law wants of it, criteria two assessors can share, clear errors whatever comes in."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.decision import Rule, evaluate
from domain.hazard import DeviceFlags, HazardEvaluation
from domain.hazard_rules import contradictions, facts, harm_possible, missing_items
from domain.hazard_scales import CRITERIA, DefectEvidence, Detectability, Likelihood, Seriousness
from domain.levels import RecallClass
from models.schemas_assessment import MarketActionsIn
from models.schemas_decisions import EvaluationIn
from tests.domain.factories import evaluation

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
SCALES = (Seriousness, Likelihood, Detectability, DefectEvidence)
WHY = {"rationale": "as assessed"}
WHOLE: dict[str, Any] = {
    "product_line": "Infusion sets",
    "evaluation": {
        "occurred": WHY | {"malfunction_in_use": True, "deaths": 0},
        "existing_conditions": WHY | {"aggravating": True},
        "population": WHY | {"groups": ["newborns", "general"], "at_greatest_risk": "newborns"},
        "seriousness": WHY | {"degree": "serious"},
        "likelihood": WHY | {"degree": "possible"},
        "consequences": WHY | {"immediate": "serious", "long_range": "none"},
        "detectability": WHY | {"degree": "with_check"},
        "present_setting": WHY | {"can_injure": "yes", "defect": "shown", "basis": ["test", "literature"]},
        "area": WHY | {"regions": ["Guangdong"], "people": 1200},
        "conformity": WHY | {"meets_standards": "yes", "meets_registered_requirements": "no"},
        "other_factors": "none known",
        "serious_public_health_threat": False,
    },
    "market_actions": {"us-fda": "removal"},
}


def test_a_form_with_every_item_of_both_lists_is_read_whole() -> None:
    form = EvaluationIn.model_validate(WHOLE).evaluation
    assert form.model_dump(mode="json", exclude_unset=True) == WHOLE["evaluation"]
    assert missing_items(form, ["us-fda", "cn-nmpa"]) == ()


def test_chinese_law_names_each_item_the_form_leaves_out_and_no_other_law_does() -> None:
    missing = missing_items(evaluation(), ["cn-nmpa", "us-fda"])
    assert [item.field for item in missing] == ["conformity", "present_setting", "area"]
    assert all("Order 29 Art. 12" in item.why for item in missing)
    assert missing_items(evaluation(), ["us-fda", "eu-mdr"]) == ()


@pytest.mark.parametrize("scale", SCALES)
def test_every_degree_has_its_criterion_in_both_languages_in_schema_and_docs(scale: Any) -> None:
    schema = str(EvaluationIn.model_json_schema())
    docs = " ".join((ROOT / "docs" / "assessment.md").read_text(encoding="utf-8").split())
    for degree in scale:
        criterion = CRITERIA[degree]
        assert any("\u4e00" <= each <= "\u9fff" for each in criterion.zh)
        assert criterion.en in schema
        assert criterion.en in docs, f"docs/assessment.md lacks the criterion of {degree.value}"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("population", "groups"), [], "at least 1"),
        (("population", "groups"), ["martians"], "newborns"),
        (("population", "groups"), ["newborns", "newborns"], "once"),
        (("population", "at_greatest_risk"), "elderly", "none of groups"),
        (("occurred", "deaths"), -1, "greater than or equal to 0"),
        (("occurred", "deaths"), 10**30, "less than or equal"),
        (("seriousness", "degree"), "terrible", "serious"),
        (("present_setting", "basis"), [], "at least 1"),
        (("area", "regions"), ["\x00"], "control"),
        (("likelihood", "rationale"), "", "at least 1"),
        (("likelihood", "colour"), "red", "Extra inputs"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_what_was_expected(
    path: tuple[str, str], value: Any, said: str
) -> None:
    body = {**WHOLE, "evaluation": {**WHOLE["evaluation"]}}
    body["evaluation"][path[0]] = {**body["evaluation"][path[0]], path[1]: value}
    with pytest.raises(ValidationError) as error:
        EvaluationIn.model_validate(body)
    whole = str(error.value)
    assert said in whole
    assert path[0] in whole


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["serious", "I"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*found, *(place for key, inner in items for place in _places(inner, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy


@given(place=st.sampled_from(_places(WHOLE)), new=json)
def test_whatever_stands_in_any_field_the_form_is_read_or_refused_with_a_place(
    place: tuple[Any, ...], new: Any
) -> None:
    body = _put(WHOLE, place, new)
    try:
        form = EvaluationIn.model_validate(body)
    except ValidationError:
        return
    contradictions(form.evaluation, DeviceFlags(implantable=True))
    assert facts(form.evaluation, DeviceFlags())["harm_possible"] is harm_possible(form.evaluation)


@given(json)
def test_whatever_is_sent_as_market_actions_is_read_or_refused(body: Any) -> None:
    for sent in (body, {"actions": body}, {"actions": [body]}):
        with suppress(ValidationError):
            MarketActionsIn.model_validate(sent)


@pytest.mark.parametrize("action", ["market_withdrawal", "stock_recovery", "none"])
def test_an_action_that_is_not_reported_is_refused_without_its_justification(action: str) -> None:
    one = {"product_line": "Sets", "jurisdiction": "us-fda", "action": action}
    with pytest.raises(ValidationError, match="justification and conclusions are owed"):
        MarketActionsIn.model_validate({"actions": [one]})
    with pytest.raises(ValidationError, match="market-actions"):
        EvaluationIn.model_validate(WHOLE | {"market_actions": {"us-fda": action}})
    owed = {"justification": "Only the carton changed.", "conclusions": "No violation."}
    read = MarketActionsIn.model_validate({"actions": [one | {"not_reported": owed}]})
    assert read.actions[0].message().conclusions == "No violation."


ALWAYS_THREE = (
    Rule.model_validate(
        {"id": "r", "when": {}, "level": "III", "class": "III", "reason": "r", "reason_zh": "r", "source": "s"}
    ),
)
LEVELS = {"I": (RecallClass.I,), "II": (RecallClass.II,), "III": (RecallClass.III,)}


@pytest.mark.parametrize(
    "flags",
    [
        DeviceFlags(implantable=True),
        DeviceFlags(life_supporting=True),
        *(DeviceFlags(device_class=word) for word in ("3", "III", "Class III", "class 3", "三类", "第三类")),
    ],
)
@given(seriousness=st.sampled_from([each for each in Seriousness if each is not Seriousness.NONE]))
def test_no_table_can_propose_class_three_for_a_critical_device_that_can_harm(
    flags: DeviceFlags, seriousness: Seriousness
) -> None:
    proposal = evaluate(ALWAYS_THREE, LEVELS, evaluation(seriousness=seriousness.value), flags)
    assert (proposal.recall_class, proposal.level) == (RecallClass.II, "II")
    assert proposal.floor is not None


@pytest.mark.parametrize("word", ["", "1", "2", "II", "Class II", "二类", "IIa", "IIb", "unclassified"])
def test_a_device_of_a_lower_class_has_no_floor(word: str) -> None:
    proposal = evaluate(
        ALWAYS_THREE, LEVELS, evaluation(seriousness="minor_reversible"), DeviceFlags(device_class=word)
    )
    assert (proposal.recall_class, proposal.floor) == (RecallClass.III, None)


def test_a_critical_device_that_failed_in_use_without_any_harm_is_shown_to_a_person() -> None:
    case = evaluation(malfunction_in_use=True)
    assert contradictions(case, DeviceFlags(implantable=True))
    assert not contradictions(case, DeviceFlags())


def test_the_answer_whether_injury_can_occur_must_fit_the_harm() -> None:
    def stated(can_injure: str, degree: str) -> HazardEvaluation:
        data = evaluation(seriousness=degree).model_dump(mode="json")
        data["present_setting"] = WHY | {"can_injure": can_injure, "defect": "shown", "basis": ["opinion"]}
        return HazardEvaluation.model_validate(data)

    assert "no injury is said to be possible" in contradictions(stated("no", "serious"))[0]
    assert "given as none" in contradictions(stated("yes", "none"))[0]
    assert harm_possible(stated("yes", "none"))
    assert not contradictions(stated("unknown", "serious"))
    assert facts(stated("yes", "serious"), DeviceFlags())["defect"] == "shown"
