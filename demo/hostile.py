"""Somebody who means harm: altered links and a forged text message; each must be refused without telling anything."""

from collections.abc import Iterator, Mapping

import httpx

from demo.html_form import Browser
from demo.waiting import DemoError

_INBOUND = "/v1/webhooks/twilio/inbound"
_REFUSED = frozenset({400, 403, 404, 410})


def tampered_links(link: str) -> Iterator[str]:
    """Try the link with one character changed at the front, in the middle and at the end, and cut short.

    Raises:
        DemoError: one of them was let in.
    """
    base, _, token = link.rpartition("/")
    browser = Browser()
    try:
        for place, what in ((3, "front"), (len(token) // 2, "middle"), (len(token) - 2, "end")):
            other = "A" if token[place] != "A" else "B"
            yield _refused(browser, f"{base}/{token[:place]}{other}{token[place + 1 :]}", f"altered at its {what}")
        yield _refused(browser, f"{base}/{token[:-8]}", "cut short")
    finally:
        browser.close()


def _refused(browser: Browser, link: str, how: str) -> str:
    page = browser.open(link)
    if page.status not in _REFUSED or any(form.method == "post" for form in page.forms):
        raise DemoError(f"a link {how} was let in: {page.status} {page.text[:200]}")
    return f"a stranger tries a link {how}: refused with {page.status}"


def forge_text_message(addresses: Mapping[str, str], phone: str) -> str:
    """Post an answer as if Twilio had sent it, with a signature made up.

    Raises:
        DemoError: it was taken.
    """
    form = {"MessageSid": "SM" + "0" * 32, "From": phone, "To": "+15005550006", "Body": "2"}
    url = addresses["api"] + _INBOUND
    answer = httpx.post(url, data=form, headers={"X-Twilio-Signature": "Zm9yZ2VkIHNpZ25hdHVyZQ=="}, trust_env=False)
    if answer.status_code != 403:
        raise DemoError(f"a forged text message was answered with {answer.status_code}")
    return f"a stranger forges a text message of {phone[:5]}...: refused with {answer.status_code}"
