"""Renders the page on which a recipient's browser subscribes to notices; without scripts it says what else there is."""

from pathlib import Path
from typing import Final

from api.page_languages import languages_in
from api.page_templates import css, environment_of, messages
from domain.notice_content import best_language

FOLDER: Final = Path(__file__).parents[1] / "templates" / "push"
SCRIPT: Final = (FOLDER / "push.js").read_bytes()
WORKER: Final = (FOLDER / "worker.js").read_bytes()
LANGUAGES: Final = languages_in(FOLDER)


def push_language(*wanted: str | None) -> str:
    """The first of the tags that the page speaks, else English."""
    for tag in filter(None, wanted):
        found = best_language(tag, LANGUAGES)
        if found.split("-")[0].casefold() == tag.split("-")[0].casefold():
            return found
    return "en"


def render_push_page(lang: str, *, token: str, nonce: str, key: str | None, facts: dict[str, str]) -> str:
    """HTML of the page.

    Args:
        lang: one of LANGUAGES.
        token: of the recipient's link.
        nonce: of style and script.
        key: our public key; None where subscribing is not possible with this link.
        facts: recall_no, recipient_name, firm_name, firm_phone, firm_email.
    """
    template = environment_of(FOLDER).get_template("page.html.j2")
    languages = [(code, catalogue(code)["language_name"]) for code in LANGUAGES]
    return template.render(
        lang=lang, m=catalogue(lang), css=css(), token=token, nonce=nonce, key=key, languages=languages, **facts
    )


def push_headers(nonce: str) -> dict[str, str]:
    """Headers of the page: our one script by nonce, our worker and our own address, nothing else."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; worker-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }


def catalogue(lang: str) -> dict[str, str]:
    """All messages of a language."""
    return messages(FOLDER, lang)


__all__ = ["LANGUAGES", "SCRIPT", "WORKER", "catalogue", "push_headers", "push_language", "render_push_page"]
