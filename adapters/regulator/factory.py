"""Builds the transports to authorities from the settings: which one per jurisdiction, a person where none is named."""

from collections.abc import Mapping

from adapters.regulator.base import RegulatorTransport
from adapters.regulator.file_drop import FileDrop
from adapters.regulator.manual import ManualTransport
from settings import Settings


def build_transports(settings: Settings) -> Mapping[str, RegulatorTransport]:
    """Transport by its name; `manual` is always there.

    Raises:
        ValueError: a jurisdiction uses a transport that is not configured; the message names the variable.
    """
    found: dict[str, RegulatorTransport] = {"manual": ManualTransport()}
    if settings.regulator_folder is not None:
        found["file_drop"] = FileDrop(settings.regulator_folder)
    for jurisdiction, name in settings.regulator_transports.items():
        if name not in found:
            raise ValueError(f"RECALL_REGULATOR_FOLDER: expected a folder, because {jurisdiction} uses {name}")
    return found


__all__ = ["build_transports"]
