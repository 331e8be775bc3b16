"""Renders the recipient's pages that take files: photos and documents, and a table of figures."""

from collections.abc import Sequence

from api.page_words import css, environment, languages, words
from api.recipient_table import FIGURES, RowFault


def render_files_page(
    lang: str,
    *,
    taken: Sequence[str],
    faults: Sequence[tuple[str, str]],
    largest: int,
    most: int,
    at_once: int,
    **facts: object,
) -> str:
    """HTML of the page for photos and documents.

    Args:
        lang: one of LANGUAGES.
        taken: names of the files just taken.
        faults: (name as sent, reason) of the files just refused.
        largest: bytes of the largest file.
        most: how many files in all.
        at_once: how many at a time.
        facts: action, csp_nonce, recall_no, recipient_name, drill, firm_name, firm_phone, firm_email, and files as
            (name, bytes).
    """
    m = words(lang)
    told: dict[str, object] = {"size": _size(largest), "most": most, "at_once": at_once}
    errors = [
        m(
            f"error_files_{reason}" if reason in {"none", "many", "at_once"} else f"error_file_{reason}",
            **told,
            name=name,
        )
        for name, reason in faults
    ]
    template = environment().get_template("files.html.j2")
    return template.render(
        lang=lang, m=m, css=css(), languages=languages(), taken=taken, errors=errors, **told, **facts
    )


def render_table_page(lang: str, *, faults: Sequence[RowFault], **facts: object) -> str:
    """HTML of the page where a table of figures is got and sent.

    Args:
        lang: one of LANGUAGES.
        faults: what is wrong with the table just sent.
        facts: action, csp_nonce, recall_no, recipient_name, drill, firm_name, firm_phone, firm_email.
    """
    m = words(lang)
    errors = [
        m("table_row", row=fault.row, column=fault.column)
        + " "
        + m(f"error_table_{fault.reason}", given=fault.given, figure=m(fault.column) if fault.column in FIGURES else "")
        for fault in faults
    ]
    facts |= {"lang": lang, "m": m, "css": css(), "languages": languages(), "errors": errors}
    return environment().get_template("table.html.j2").render(**facts)


def _size(count: int) -> str:
    return f"{count // 1024 // 1024} MB" if count >= 1024 * 1024 else f"{count // 1024} kB"


__all__ = ["render_files_page", "render_table_page"]
