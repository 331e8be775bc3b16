"""Plans of what was measured: inspection reports, production parameters, readings of devices."""

from collections.abc import Sequence
from decimal import Decimal

from domain.readings import COLDEST, HOTTEST, Measure, TemperatureUnit, celsius
from imports import convert as c
from imports.errors import Finding
from imports.mapping_measured import InspectionsMapping, MeasuredColumns, ParametersMapping, ReadingsMapping
from imports.mapping_parts import Column
from imports.steps import Step, Steps
from models.quality_record import MeasurementStage

_STAGES = [stage.value for stage in MeasurementStage if stage is not MeasurementStage.parameter]
_DEGREES = {"°C": "C", "°F": "F", "degC": "C", "degF": "F"}


class MeasuredSteps(Steps):
    """Steps of these kinds in the order of their staging tables."""

    def _inspections(self, mapping: InspectionsMapping) -> list[Step]:
        columns = mapping.columns
        stage = self._plain("stage", columns.stage, c.one_of(_STAGES), required=True)
        return self._measured(
            mapping.source_id, stage, columns, ("characteristic", columns.characteristic), columns.inspected_at
        )

    def _parameters(self, mapping: ParametersMapping) -> list[Step]:
        columns = mapping.columns
        stage = Step(lambda row, line: MeasurementStage.parameter.value)
        return self._measured(mapping.source_id, stage, columns, ("parameter", columns.parameter), columns.recorded_at)

    def _measured(
        self, source_id: Column, stage: Step, columns: MeasuredColumns, what: tuple[str, Column], at: Column
    ) -> list[Step]:
        self._check = _result_is_judged
        name, characteristic = what
        return [
            self._source_id(source_id),
            stage,
            self._part(self.masters.product("product", columns.product, None)),
            self._plain("lot", columns.lot, c.text(80), required=True, cached=False),
            self._place("site", columns.site, _Nothing),
            self._plain("step", columns.step, c.text(120)),
            self._plain(name, characteristic, c.text(200), required=True),
            self._number("result", columns.result, zero=True, negative=True),
            self._plain("result_text", columns.result_text, c.text(200)),
            self._number("lower", columns.lower, zero=True, negative=True),
            self._number("upper", columns.upper, zero=True, negative=True),
            self._plain("unit", columns.unit, c.text(40)),
            self._plain("verdict", columns.verdict, c.one_of(["pass", "fail"])),
            self._plain("document_no", columns.document_no, c.text(80), cached=False),
            self._instant(_instant_name(columns), at, required=True),
        ]

    def _readings(self, mapping: ReadingsMapping) -> list[Step]:
        columns = mapping.columns
        self._check = _reading_makes_sense
        return [
            self._plain("device", columns.device, c.text(120), required=True),
            self._plain("measure", columns.measure, c.one_of([each.value for each in Measure]), required=True),
            self._plain("document_no", columns.document_no, c.text(80)),
            self._place("location", columns.location, _Nothing),
            self._plain("unit", columns.unit, _unit, required=True),
            self._number("lower", columns.lower, zero=True, negative=True),
            self._number("upper", columns.upper, zero=True, negative=True),
            self._instant("at", columns.at, required=True),
            self._number("value", columns.value, required=True, zero=True, negative=True),
        ]


class _Nothing:
    """These files create no place."""

    site = location = None


def _instant_name(columns: MeasuredColumns) -> str:
    return "inspected_at" if hasattr(columns, "inspected_at") else "recorded_at"


def _unit(value: c.Cell) -> str:
    text = c.text(40)(value)
    return _DEGREES.get(text, text)


def _ordered(lower: str | None, upper: str | None) -> list[Finding]:
    if lower is not None and upper is not None and Decimal(lower) > Decimal(upper):
        return [Finding("lower", lower, f"lies above the upper limit {upper}")]
    return []


def _result_is_judged(values: Sequence[str | None]) -> list[Finding]:
    result, words, lower, upper, verdict = values[8], values[9], values[10], values[11], values[13]
    if verdict is None and (result is None or (lower is None and upper is None)):
        return [Finding("verdict", "", "is missing: without it a result and a limit are needed")]
    if result is None and words is None and (lower is not None or upper is not None):
        return [Finding("result", "", "is missing, although there are limits")]
    return _ordered(lower, upper)


def _reading_makes_sense(values: Sequence[str | None]) -> list[Finding]:
    measure, document, place, unit, value = values[2], values[3], values[4], values[5], values[9]
    if document is None and place is None:
        return [Finding("document_no", "", "is missing: of which shipment, or which place, is it?")]
    if measure == Measure.temperature:
        if unit not in set(TemperatureUnit):
            return [Finding("unit", str(unit), "expected C, F or K for a temperature")]
        if not COLDEST <= celsius(Decimal(str(value)), TemperatureUnit(unit)) <= HOTTEST:
            return [Finding("value", str(value), f"expected a temperature from {COLDEST} to {HOTTEST} °C")]
    return _ordered(values[6], values[7])


__all__ = ["MeasuredSteps"]
