"""Renders the page that lists the sites of one person's notice, with how far each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.page_words import css, environment, languages, words

_SAID: Final = {
    "open": "site_open",
    "acknowledged": "site_acknowledged",
    "answered": "site_answered",
    "documented": "site_answered",
    "withdrawn": "site_withdrawn",
}


@dataclass(frozen=True, slots=True)
class SiteShown:
    """One site as the page lists it."""

    name: str
    address: str
    """Of its own page."""
    state: str
    """The consignee's."""

    @property
    def said(self) -> str:
        """The message that says how far it is."""
        return _SAID[self.state]


def render_sites_page(lang: str, *, sites: Sequence[SiteShown], confirmed: int, **facts: object) -> str:
    """HTML of the list.

    Args:
        lang: one of LANGUAGES.
        sites: every site of the notice.
        confirmed: for how many the notice was confirmed just now.
        facts: action, csp_nonce, form_id, recall_no, urgent, drill, firm_name, firm_phone, firm_email.
    """
    return (
        environment()
        .get_template("sites.html.j2")
        .render(
            lang=lang,
            m=words(lang),
            css=css(),
            languages=languages(),
            sites=sites,
            confirmed=confirmed,
            waiting=sum(site.state == "open" for site in sites),
            done=sum(site.said in {"site_answered", "site_withdrawn"} for site in sites),
            **facts,
        )
    )


__all__ = ["SiteShown", "render_sites_page"]
