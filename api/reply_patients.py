"""A hospital's counts of its patients on the recipient page: four numbers or none, never a person (design §2a)."""

from collections.abc import Mapping, Sequence

from api.reply_fields import PATIENTS, FieldError, PageLot, patients_field
from api.reply_lots import anything
from api.reply_numbers import count
from models.replies import PatientsStated


def asks_patients(values: Mapping[str, str], lots: Sequence[PageLot], *, hospital: bool) -> bool:
    """Whether there can be patients: a hospital that says it used units."""
    return hospital and values.get("affected") != "no" and anything(values, "used", lots)


def check_patients(values: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with the counts; leaving all of them empty is no answer yet, and may be."""
    texts = {name: values.get(patients_field(name), "") for name in PATIENTS}
    if not any(texts.values()):
        final = values.get("patients_final") == "yes"
        return [FieldError(patients_field(PATIENTS[0]), "error_patients_final")] if final else []
    counts = {name: count(text) for name, text in texts.items()}
    wrong = [
        FieldError(patients_field(name), "error_patients_count", lot_key=None)
        for name, given in counts.items()
        if given is None
    ]
    exposed = counts["exposed"]
    if wrong or exposed is None:
        return wrong
    return [
        FieldError(patients_field(name), "error_patients_more", {"exposed": str(exposed)})
        for name, given in counts.items()
        if (given or 0) > exposed
    ]


def patients_in(values: Mapping[str, str]) -> PatientsStated | None:
    """The counts, checked before; None where nothing was said."""
    counts = {name: count(values.get(patients_field(name), "")) for name in PATIENTS}
    given = {name: number for name, number in counts.items() if number is not None}
    if len(given) < len(PATIENTS):
        return None
    return PatientsStated(**given, final=values.get("patients_final") == "yes")


__all__ = ["asks_patients", "check_patients", "patients_in"]
