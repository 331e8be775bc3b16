"""Reads a person's answer by e-mail: what they wrote themselves, without the notice they quoted, by the rules of SMS.

The first paragraph counts as the answer when it is exactly one known word or number ("1", "received", "已收到"); the
rest is handed to a person beside it. A mail whose first paragraph says anything else is unclear and goes to a person
whole. Words of harm count wherever the writer put them, never those of our own quoted notice.
"""

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Final

from domain.harm import mentions_harm
from domain.mail_message import Mail
from domain.sms_replies import SmsIntent, parse_sms_reply

_READ: Final = 64 * 1024
_KEPT: Final = 2_000
_EXCERPT: Final = 500
_OUR_SUBJECT: Final = re.compile(r"\bR[CD]-\d{4}-\d{6}\s*[–—-].*$", re.IGNORECASE)
_SEPARATORS: Final = re.compile(
    r"^(?:"
    r"-{3,} ?(?:original (?:message|appointment)|forwarded message|ursprüngliche nachricht|message d'origine"
    r"|mensaje original|原始邮件|原始郵件|邮件原件).*"
    r"|_{10,}|-{20,}|={20,}"
    r"|begin forwarded message:"
    r"|(?:on|am|le|el|den) [^\n]{6,200}(?:wrote|schrieb[^:\n]{0,80}|a écrit|escribió) ?:"
    r"|(?:在|于) ?[^\n]{4,200}(?:写道|寫道)[:：]"
    r"|[^\n]{4,200}(?:写道|寫道)[:：]"
    r"|(?:\*?(?:from|von|de|发件人|寄件者|寄件人)\*?[:：]) ?[^\n]*\n(?:[^\n]*\n){0,3}?"
    r"\*?(?:sent|date|to|gesendet|an|envoyé|enviado|发送时间|收件人|日期|寄件日期)\*?[:：]"
    r")",
    re.IGNORECASE | re.MULTILINE,
)
_WRAPPED: Final = re.compile(
    r"^((?:On|Am|Le|El) [^\n]{6,120})\n([^\n]{0,120}(?:wrote|schrieb|a écrit|escribió) ?:)", re.MULTILINE
)
_QUOTED: Final = re.compile(r"^\s*(?:>|\|)")
_SIGNATURE: Final = re.compile(r"^-- ?$")
_CLOSING: Final = re.compile(
    r"^\W*(?:kind(?:est)? regards|best regards|best wishes|regards|with best regards|sincerely"
    r"|yours (?:sincerely|faithfully)|many thanks|thanks(?: and regards)?|thank you|cheers|best"
    r"|sent from my \w+|get outlook for \w+|此致|敬礼|谢谢|顺颂商祺|祝好|祝商祺|发自我的\w+)\W*$",
    re.IGNORECASE,
)
_GREETING: Final = re.compile(
    r"^\W*(?:hi|hello|dear|good (?:morning|afternoon|evening)|to whom it may concern|您好|你好|尊敬的|各位)\b"
    r"[^.\n]{0,60}$",
    re.IGNORECASE,
)
_TO_REPORT: Final = re.compile(
    r"(?:\bif you [^.!?]{0,40}|(?:^|[.!?:;*•|-] ))to report "
    r"[^.!?]{0,80}?adverse (?:event|reaction)s?[^.!?]{0,40}"
    r" (?:call|contact|visit|dial|e-?mail|go to|click|use|write|phone)\b"
    r"|(?:如需|如要)(?:报告|上报)[^。！？]{0,20}不良(?:事件|反应)[^。！？]{0,20}(?:拨打|致电|联系|访问|发送)"
    r"|\bpara (?:notificar|comunicar|informar) [^.!?]{0,60}?advers[oa]s?[^.!?]{0,40}(?:llame|contacte|visite|escriba)",
    re.IGNORECASE,
)
"""Where to report harm, as the signature of an information desk says; no harm was reported with it."""


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """What a person wrote, and what it means."""

    intent: SmsIntent
    text: str
    """Their own words, at most 2,000 characters; empty when they only quoted."""
    harm: bool
    recall_no: str | None = None
    more: bool = False
    """They wrote more than the answer: a person reads it."""


def read_answer(mail: Mail) -> MailAnswer:
    """The meaning of a person's mail; opting out is a person's matter, because e-mail has no such rule."""
    text = own_words(_text_of(mail))
    paragraphs = [each for each in re.split(r"\n\s*\n", text) if each.strip()]
    while len(paragraphs) > 1 and _GREETING.match(paragraphs[0].strip()):
        paragraphs.pop(0)
    first = _without_greeting(paragraphs[0]) if paragraphs else ""
    reading = parse_sms_reply(" ".join(first.split()))
    harm = reading.intent is SmsIntent.HARM or mentions_harm(text) or mentions_harm(_own_subject(mail))
    more = any(not _is_closing(each) for each in paragraphs[1:])
    intent = reading.intent
    if intent in {SmsIntent.STOP, SmsIntent.START}:
        intent = SmsIntent.UNCLEAR
    elif harm and not reading.acknowledges:
        intent = SmsIntent.HARM
    named = reading.recall_no or parse_sms_reply(mail.first("subject")).recall_no
    return MailAnswer(intent, _kept(text, harm=harm), harm, named, more)


def in_doubt(answer: MailAnswer) -> MailAnswer:
    """The same words of a mail that a machine may have written: they acknowledge nothing, a person reads them."""
    intent = answer.intent if answer.intent is SmsIntent.HARM else SmsIntent.UNCLEAR
    return replace(answer, intent=intent, more=True)


def machine_speaks_of_harm(mail: Mail) -> MailAnswer | None:
    """What an automatic mail says, if it speaks of harm; None when it only tells where to report some.

    Ticket systems send on what people wrote under the signs of a responder; the boilerplate of an information desk
    ("to report an adverse event call ...") is no report.
    """
    answer = read_answer(mail)
    if answer.intent is SmsIntent.HARM:  # "4" of a responder is its own numbering
        answer = replace(answer, intent=SmsIntent.UNCLEAR)
    said = " ".join(f"{_own_subject(mail)}\n{own_words(_text_of(mail))}".split())
    return in_doubt(answer) if mentions_harm(_TO_REPORT.sub(" ", said)) else None


def own_words(text: str) -> str:
    """A mail's text without what it quotes and without a marked signature."""
    joined = _WRAPPED.sub(r"\1 \2", text[:_READ])
    begins = _SEPARATORS.search(joined)
    lines = (joined[: begins.start()] if begins else joined).split("\n")
    kept: list[str] = []
    for line in lines:
        if _SIGNATURE.match(line):
            break
        if not _QUOTED.match(line):
            kept.append(line.rstrip())
    return "\n".join(kept).strip()


def _own_subject(mail: Mail) -> str:
    """A subject without ours, which ends in the product's name: an "injury care set" harms nobody."""
    return _OUR_SUBJECT.sub(" ", mail.first("subject"))


def _kept(text: str, *, harm: bool) -> str:
    """The beginning of a text, and of one whose harm stands further below that line, too."""
    if not harm or len(text) <= _KEPT or mentions_harm(text[:_KEPT]):
        return text[:_KEPT]
    below = next((line for line in text[_KEPT - _EXCERPT :].split("\n") if mentions_harm(line)), "")
    return f"{text[: _KEPT - _EXCERPT - 5]} [...]{below[:_EXCERPT]}"


def _without_greeting(paragraph: str) -> str:
    """ "Hello,\\n1\\nKind regards" is one paragraph to people who leave no lines empty."""
    lines = [line for line in paragraph.split("\n") if line.strip()]
    while len(lines) > 1 and _GREETING.match(lines[0].strip()):
        lines.pop(0)
    for place, line in enumerate(lines):
        if place and _CLOSING.match(line.strip()):
            lines = lines[:place]
            break
    return "\n".join(lines)


def _is_closing(paragraph: str) -> bool:
    """A closing formula with the writer's name beneath it, and nothing else."""
    lines = [line.strip() for line in paragraph.split("\n") if line.strip()]
    return bool(lines) and bool(_CLOSING.match(lines[0])) and len(lines) <= 8


def _text_of(mail: Mail) -> str:
    """The first plain part, else the first HTML part without its marks and quotations."""
    for wanted in ("text/plain", "text/html"):
        for part in mail.parts:
            if part.content_type == wanted and part.text.strip():
                return part.text if wanted == "text/plain" else _plain(part.text)
    return ""


class _Plain(HTMLParser):
    """Text of HTML; what lies in a quotation is left out."""

    _BREAKS: Final = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "hr"})
    _SILENT: Final = frozenset({"style", "script", "head", "title", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._silent: list[str] = []
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line or a quotation."""
        marks = " ".join(value or "" for name, value in attrs if name in {"id", "class"}).lower()
        if any(mark in marks for mark in ("gmail_quote", "divrplyfwdmsg", "appendonsend", "yahoo_quoted", "moz-cite")):
            self._ended = True
        if tag in self._SILENT:
            self._silent.append(tag)
        if tag in self._BREAKS:
            self.text.append("\n\n" if tag == "p" else "\n")

    def handle_endtag(self, tag: str) -> None:
        """End a quotation, or a paragraph."""
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in {"p", "div"}:
            self.text.append("\n")

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Pass over `<![if !mso]>` and the like up to the next `>`, as browsers do; no name in it is a fault.

        The standard library's parser raises AssertionError for one (`<![foo[x]]>`, `<![]>`).
        """
        return self.parse_bogus_comment(i)

    def handle_data(self, data: str) -> None:
        """Keep what the writer wrote."""
        if not self._silent and not self._ended:
            self.text.append(" ".join(data.split()) if data.strip() else " ")


def _plain(html: str) -> str:
    parser = _Plain()
    # The mark at the end frees the last words, which are held back when an `&` stands among them. `close` would, too,
    # but takes the square of the time over marks without an end.
    parser.feed(f"{html[:_READ]}\n<p>")
    return re.sub(r"\n[ \n]{2,}", "\n\n", "".join(parser.text)).strip()


__all__ = ["MailAnswer", "in_doubt", "machine_speaks_of_harm", "own_words", "read_answer"]
