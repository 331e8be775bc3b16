"""Mappings of what was measured: inspection reports, production parameters, readings of devices.

Lots, places and products they name are on record; such a file creates none.
"""

from typing import Literal

from pydantic import model_validator

from imports.mapping_parts import ColumnSpec, MappingBase, Part


class MeasuredColumns(Part):
    """Fields that inspections and parameters share."""

    product: ColumnSpec
    lot: ColumnSpec
    site: ColumnSpec | None = None
    step: ColumnSpec | None = None
    """Step of the process, or equipment."""
    result: ColumnSpec | None = None
    """A number."""
    result_text: ColumnSpec | None = None
    """What was found where it is no number."""
    lower: ColumnSpec | None = None
    upper: ColumnSpec | None = None
    unit: ColumnSpec | None = None
    verdict: ColumnSpec | None = None
    """pass or fail; without it the limits decide."""
    document_no: ColumnSpec | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "MeasuredColumns":
        if self.result is None and self.result_text is None and self.verdict is None:
            raise ValueError("give result, result_text or verdict")
        return self


class InspectionColumns(MeasuredColumns):
    """Fields of one characteristic of an inspection report."""

    stage: ColumnSpec
    """incoming, in_process or final."""
    characteristic: ColumnSpec
    inspected_at: ColumnSpec


class ParameterColumns(MeasuredColumns):
    """Fields of one parameter of a batch record."""

    parameter: ColumnSpec
    recorded_at: ColumnSpec


class ReadingColumns(Part):
    """Fields of a reading; `document_no` (of the movements it travelled with), `location` or both say of what."""

    device: ColumnSpec
    measure: ColumnSpec
    """temperature, humidity, pressure, shock, light or other."""
    document_no: ColumnSpec | None = None
    location: ColumnSpec | None = None
    unit: ColumnSpec
    """C, F or K for a temperature."""
    lower: ColumnSpec | None = None
    upper: ColumnSpec | None = None
    at: ColumnSpec
    value: ColumnSpec

    @model_validator(mode="after")
    def _of_something(self) -> "ReadingColumns":
        if self.document_no is None and self.location is None:
            raise ValueError("give document_no, location or both: what the device travelled with, or where it hung")
        return self


class InspectionsMapping(MappingBase):
    """Mapping of inspection reports."""

    kind: Literal["inspections"]
    source_id: ColumnSpec
    columns: InspectionColumns


class ParametersMapping(MappingBase):
    """Mapping of production parameters."""

    kind: Literal["parameters"]
    source_id: ColumnSpec
    columns: ParameterColumns


class ReadingsMapping(MappingBase):
    """Mapping of readings of sensors and loggers."""

    kind: Literal["readings"]
    columns: ReadingColumns


__all__ = ["InspectionsMapping", "ParametersMapping", "ReadingsMapping"]
