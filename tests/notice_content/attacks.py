"""Falsified notices: each takes a good body and makes it say something the record does not say, in one way."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.notice_body import ApprovedBody
from domain.notice_content import NoticeContext

Spoil = Callable[[str, "Body"], str]


@dataclass(frozen=True)
class Body:
    """What an attacker knows of the part that is spoilt."""

    language: str
    part: str
    context: NoticeContext

    def say(self, en: str, es: str, zh: str) -> str:
        """A wording in the body's language."""
        return {"en": en, "es": es, "zh-CN": zh}[self.language]


def spoilt(body: ApprovedBody, context: NoticeContext, attack: Spoil) -> dict[str, Any]:
    """Each part that the attack changes, as it is then."""
    given = {"subject": body.subject, "text": body.text, "html": body.html}
    made = {
        name: attack(source, Body(body.language, name, context)) for name, source in given.items() if source is not None
    }
    return {name: source for name, source in made.items() if source != given[name]}


def swap(old: str, new: str) -> Spoil:
    """Put one text in another's place, escaped as it stands there."""
    return lambda source, body: source.replace(_as(old, body), _as(new, body))


def _as(text: str, body: Body) -> str:
    return html.escape(text) if body.part == "html" else text


def adding(en: str, es: str, zh: str) -> Spoil:
    """Put a sentence behind everything else."""
    return lambda source, body: _end(source, _as(body.say(en, es, zh), body), body)


def _end(source: str, text: str, body: Body) -> str:
    return source.replace("</body>", f"<p>{text}</p></body>") if body.part == "html" else f"{source} {text}"


def markup(inner: Callable[[Body], str]) -> Spoil:
    """Put markup behind everything else; only in HTML."""
    return lambda source, body: source.replace("</body>", inner(body) + "</body>") if body.part == "html" else source


def pattern(found: str, instead: str, flags: int = 0) -> Spoil:
    """Change what matches."""
    return lambda source, body: re.sub(found, instead, source, flags=flags)


def per(**by_field: Callable[[NoticeContext], tuple[str, str]]) -> Spoil:
    """Change a value of the record; `old, new` are read from the facts."""
    (pick,) = by_field.values()
    return lambda source, body: swap(*pick(body.context))(source, body)


def _hazard(source: str, body: Body, change: Callable[[str], str]) -> str:
    hazard = body.context.texts_in(body.language).hazard
    return swap(hazard, change(hazard))(source, body)


def _negated(source: str, body: Body) -> str:
    pairs = {
        "en": [
            ("Stop using", "You need not stop using"),
            ("STOP USE", "DO NOT STOP USE"),
            ("Stop using it", "Never stop"),
        ],
        "es": [("Deje de usar", "No deje de usar"), ("NO USAR", "NUNCA NO USAR")],
        "zh-CN": [("立即停止销售", "无需立即停止销售"), ("请立即停用", "不请立即停用")],
    }[body.language]
    for old, new in pairs:
        source = source.replace(old, new)
    return source


def _into_distributors(source: str, body: Body) -> str:
    said = _as(body.say("Lot ZZ-4711 too.", "Lote ZZ-4711 también.", "批号 ZZ-4711 也在内。"), body)
    return _end(source, f"⟦?distributor⟧{said}⟦/distributor⟧", body)


def _late_marking(source: str, body: Body) -> str:
    urgent = body.say("URGENT", "URGENTE", "紧急")
    gone = re.sub(urgent + "[:：]? ?", "", source, flags=re.IGNORECASE)
    return _end(gone, f"{'x ' * 150}{urgent}", body) if gone != source and body.part != "subject" else gone


ATTACKS: dict[str, Spoil] = {
    # Lots
    "a foreign lot in the list": swap("SCMS-31-IE", "SCMS-31-IE, SCMS-32-IE"),
    "a foreign lot in a sentence": adding("Lot ZZ-4711 as well.", "Lote ZZ-4711 también.", "批号 ZZ-4711 也在内。"),
    "a lot on record of the same product": adding("SCMS-99-IE", "SCMS-99-IE", "SCMS-99-IE"),
    "a foreign lot for distributors only": _into_distributors,
    "a lot left out": pattern("SCMS-12-IE(, |、)(?=SCMS-31)", ""),
    "a lot that is spared": adding(
        "SCMS-10-IE can stay in use.", "SCMS-10-IE puede quedar en uso.", "SCMS-10-IE 可留用。"
    ),
    "a lot said to be unaffected": adding(
        "Lot SCMS-10-IE is not affected.", "El lote SCMS-10-IE no está afectado.", "批号 SCMS-10-IE 不受影响。"
    ),
    "a wrong number of lots": pattern(r"([(（])3( 个)?([)）])", r"\g<1>2\2\3"),
    "lots of one product under another": pattern(
        r"SCMS-10-IE(, |、)SCMS-12-IE\1SCMS-31-IE|R2-0007(, |、)R2-0008", "A, B"
    ),
    "a look-alike letter in a lot": swap("SCMS-10-IE", "\u0405CMS-10-IE"),
    "a zero-width space in a lot": swap("SCMS-12-IE", "SCMS-\u200b12-IE"),
    "a lot broken over two lines": swap("SCMS-12-IE", "SCMS-\n12-IE"),
    "the recipient's lots under another title": pattern(r"⟦lot\.number⟧", "⟦lot.unit⟧"),
    # Serial numbers and expiry
    "no serial numbers": pattern(r"⟦lot\.serials⟧", ""),
    "another value as serial number": pattern(r"⟦lot\.serials⟧(?=.{0,40}⟦/lot\.serials⟧)", "⟦lot.gtin⟧"),
    "a wrong expiry date": swap("2027-05-31", "2028-05-31"),
    "a second expiry date": adding("SCMS-10-IE 2030-01-01", "SCMS-10-IE 2030-01-01", "SCMS-10-IE 2030-01-01"),
    "expiry and delivery exchanged": lambda source, body: (
        source.replace("⟦lot.expires_on⟧", "~")
        .replace("⟦lot.shipped_on⟧", "⟦lot.expires_on⟧")
        .replace("~", "⟦lot.shipped_on⟧")
    ),
    # Hazard
    "the severe outcome left out": lambda source, body: _hazard(
        source, body, lambda text: re.sub(r" and cause.*|，造成.*| y causar.*", ".", text)
    ),
    "a hazard with a relief behind it": lambda source, body: _hazard(source, body, lambda text: f"{text} Rarely."),
    "a hazard with a doubt before it": lambda source, body: _hazard(source, body, lambda text: f"In theory: {text}"),
    "a hazard broken by a hidden letter": lambda source, body: _hazard(
        source, body, lambda text: text[:4] + "\u200d" + text[4:]
    ),
    "words that play it down": adding("There is no risk.", "No hay riesgo.", "没有风险。"),
    "words that play it down, full width": adding("Ｎｏ　ｒｉｓｋ.", "Ｓｉｎ　ｒｉｅｓｇｏ.", "没有\u200b风险。"),
    "words that play it down, look-alikes": adding("N\u043e risk.", "Sin ri\u0435sgo.", "没有风险а。"),
    "words that play it down over two lines": adding("There is no\nrisk.", "Sin\nriesgo.", "没有危险。"),
    "a recall called voluntary": adding("A voluntary recall.", "Una retirada voluntaria.", "本次为主动自愿召回。"),
    "use allowed": adding("You can continue to use it.", "Puede seguir usando el producto.", "可继续使用。"),
    "a foreign class": adding("Class III", "clase III", "三级召回"),
    "a foreign class in figures": adding("class 3", "clase 3", "3级"),
    # Promotion
    "promotion": adding("Our award-winning new line.", "Nuestro producto premiado.", "荣获大奖的新品。"),
    "an offer": adding("A 20% discount awaits you.", "Un descuento le espera.", "优惠供应。"),
    # No way to answer
    "a link of somebody else's": pattern("⟦link⟧", "https://evil.example/r/1"),
    "no link": pattern("⟦link⟧", ""),
    "a link that is lengthened": pattern('⟦link⟧(?!")', "⟦link⟧/x"),
    "a link that is lengthened by a word": pattern('⟦link⟧(?!")', "⟦link⟧.html"),
    "a link with something before it": pattern('(?<!")⟦link⟧', "https://⟦link⟧"),
    "a second link": adding("See evil.example/r/1.", "Vea evil.example/r/1.", "请见 evil.example/r/1。"),
    "a link that leads elsewhere": pattern('href="⟦link⟧"', 'href="https://evil.example"'),
    "mail to somebody else": markup(lambda body: '<p><a href="mailto:x@evil.example">?</a></p>'),
    "no answer needed": adding("You need not answer.", "No hace falta que responda.", "无需回复。"),
    "another day to answer by": pattern("⟦respond_by⟧", "2031-01-01 12:00"),
    # Identification
    "a wrong GTIN": swap("05391516740012", "05391516740999"),
    "a second GTIN": adding("GTIN 05391516740999", "GTIN 05391516740999", "GTIN 05391516740999"),
    "a wrong product": swap("HIV, Uni-Gold HIV Kit, 20 Tests", "HCV, Other Kit, 20 Tests"),
    "a wrong code": swap("UNI-20", "UNI-25"),
    "a wrong registration number": swap("IE-MF-000012345", "IE-MF-000012346"),
    # Firm and date
    "a wrong telephone": swap("+1 202 555 0100", "+1 202 555 0199"),
    "a second telephone": adding("Call +1 202 555 0199.", "Llame al +1 202 555 0199.", "请致电 +1 202 555 0199。"),
    "a second telephone, run together": adding("Call 12025550199.", "Llame al 12025550199.", "请致电 12025550199。"),
    "a telephone with more behind it": swap("+1 202 555 0100", "+1 202 555 0100 99"),
    "a mail address of another domain": swap("recall@firm.example", "recall@firm.example.evil"),
    "a mail address with something before it": swap("recall@firm.example", "no-recall@firm.example"),
    "a recall number with more behind it": swap("RC-2026-000012", "RC-2026-000012-B"),
    "a registration number with more behind it": swap("IE-MF-000012345", "IE-MF-000012345/2"),
    "a wrong mail address": swap("recall@firm.example", "recall@firn.example"),
    "a wrong date of the notice": swap("2026-11-21", "2026-11-01"),
    "a second date": adding("Issued 1 November.", "Emitido el 1 de noviembre.", "发出日期：11月1日。"),
    "a wrong recall number": swap("RC-2026-000012", "RC-2026-000013"),
    # Marking and standing
    "no urgent marking": pattern("URGENTE?[:：]? ?|紧急[:：]? ?", "", re.IGNORECASE),
    "the urgent marking at the end": _late_marking,
    "another action": pattern(
        "MEDICAL DEVICE RECALL|RETIRADA DE PRODUCTO SANITARIO|医疗器械召回", "MEDICAL DEVICE MARKET WITHDRAWAL", re.I
    ),
    "called a drill": adding("This is a drill.", "Esto es un simulacro.", "本通知为演练。"),
    "called retracted": adding("RETRACTED", "ANULADA", "本通知已撤销。"),
    "called ended": adding("The recall has ENDED.", "FINALIZADA", "召回已结束。"),
    "the opposite of stop": _negated,
    # Hidden
    "white letters": markup(lambda body: '<p style="color:#ffffff">hidden words here</p>'),
    "a light grey": markup(lambda body: '<p style="color:#dddddd">words that are hardly seen</p>'),
    "text out of sight": markup(lambda body: '<p style="position:absolute;left:-9999px">words</p>'),
    "tiny letters": markup(lambda body: '<p style="font-size:1px">words</p>'),
    "no height": markup(lambda body: '<div style="max-height:0;overflow:hidden">words</div>'),
    "a comment that one mail program shows": markup(lambda body: "<!--[if mso]><p>words</p><![endif]-->"),
    "a style sheet": pattern("</head>", "<style>p{display:none}</style></head>"),
    "a struck-out hazard": lambda source, body: (
        source.replace(
            _as(body.context.texts_in(body.language).hazard, body),
            "<s>" + _as(body.context.texts_in(body.language).hazard, body) + "</s>",
        )
        if body.part == "html"
        else source
    ),
    "the hazard hidden": pattern(r'<div(?=[^>]*>\s*<p style="white-space)', '<div style="display:none"'),
    "the hazard folded away": pattern("<h2>(?=2|二)", "<details><h2>"),
    "a picture from elsewhere": pattern("cid:answer-code@recall", "https://evil.example/x.png"),
    "promotion as a picture's text": pattern('alt="[^"]*"', 'alt="award-winning premiado 荣获"'),
    "text turned round": adding("\u202eksir on\u202c", "\u202eksir on\u202c", "\u202eksir on\u202c"),
    "promotion as the page's name": pattern("(?=</title>)", " award-winning premiado 荣获"),
    "a blank letter in a word": adding("ri\u3164sk", "rie\u2800sgo", "风\u3164险"),
    "a word struck out by marks": adding("n\u0336o\u0336", "n\u0336o\u0336", "没\u0336有\u0336"),
    "the rest pushed out of sight": lambda source, body: (
        source.replace("<h2>", "<br>" * 200 + "<h2>", 1)
        if body.part == "html"
        else source.replace("\n\n", "\n" * 200, 1)
    ),
    "a form": markup(lambda body: '<form action="https://evil.example"></form>'),
    "a script": markup(lambda body: "<script>1</script>"),
}
"""Name -> what it does to a part of a body."""
