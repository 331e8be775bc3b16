"""The tests of a notice that need more than finding a value: markings, lists of lots, classes, and what is never said.

Each takes one part of one body (`Part`) and yields faults; a fault may name another element than the one tested (a list
of lots with a stranger in it is a foreign lot, not a missing one).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from domain.channels import Channel
from domain.notice_content import NoticeKind, NoticeLots
from domain.notice_facts import FACTS, SHOWN, own_words, scope_lots
from domain.notice_foreign import foreign_lots
from domain.notice_kinds import ASKS_NOTHING
from domain.notice_machine import MAX_LOTS
from domain.notice_part import Fault, Part, Rule
from domain.notice_strange import no_strange_value, readable
from domain.notice_visible import finder, holds, masked, named

HEAD: Final = 200
"""Characters at the start of a part in which its marking stands."""
FULL: Final = frozenset((Channel.EMAIL, Channel.WEBHOOK))
"""Channels that carry the whole notice; the others are short and lead to it."""
FOREIGN: Final = "no_foreign_lot"
_SHOWN: Final = 10
_CLAUSE: Final = re.compile(r"[.,;:!?()“”\"。，；：！？（）、【】]|\n\s*\n")
"""Where a clause ends; a single line break may stand within one."""
_SAID_OF: Final[Mapping[str, frozenset[NoticeKind]]] = {
    "retracted": frozenset({NoticeKind.RETRACTION}),
    "ended": frozenset({NoticeKind.CLOSURE}),
    "no_longer_affected": frozenset({NoticeKind.AMENDMENT, NoticeKind.RETRACTION}),
    "no_answer_needed": ASKS_NOTHING,
}
"""Phrases that tell a reader that nothing is to be done (any more), and the kinds of notice that may say so."""


def has_any(text: str, wordings: Iterable[str | Sequence[str]]) -> bool:
    """Whether the text holds one of the wordings, whatever its case and white space."""
    folded = " ".join(text.split()).casefold()
    return any(all(" ".join(piece.split()).casefold() in folded for piece in _pieces(each)) for each in wordings)


def affirmed(part: Part, wordings: Iterable[str | Sequence[str]]) -> bool:
    """Whether the notice says one of the wordings, and does not turn it into its opposite."""
    said = part.said.casefold()
    return any(
        all(_stands(said, piece.casefold(), part.words.negations) for piece in _pieces(each)) for each in wordings
    )


def _stands(text: str, piece: str, negations: Sequence[str]) -> bool:
    pattern = re.compile(r"\s+".join(re.escape(word) for word in piece.split()))
    return any(not named(_CLAUSE.split(text[: found.start()])[-1], negations) for found in pattern.finditer(text))


def _pieces(wording: str | Sequence[str]) -> Sequence[str]:
    return (wording,) if isinstance(wording, str) else wording


def shown(wordings: Iterable[str | Sequence[str]]) -> str:
    """The first wording, for a fault's text."""
    return " … ".join(_pieces(next(iter(wordings))))


def _head(part: Part) -> str:
    said = " ".join(part.bare.split())
    # A call greets first, by the names of both sides, however long they are; then what it is, then its number.
    return said.partition(part.context.recall_no)[0] if part.channel is Channel.VOICE else said[:HEAD]


def marking(part: Part) -> Iterator[Fault]:
    """URGENT for classes I and II, at the head."""
    words, head = [shown([each]) for each in part.words.phrases["urgent"]], _head(part)
    if part.channel is Channel.VOICE:  # capitals are not heard
        words, head = [each.casefold() for each in words], head.casefold()
    if part.context.urgent and not any(each in head for each in words):
        word = shown(part.words.phrases["urgent"])
        yield Fault(
            f"a notice of class {part.context.recall_class} is marked {word!r} at its head", f"开头缺少紧急标识“{word}”"
        )


def drill(part: Part) -> Iterator[Fault]:
    """A drill says so first, and nothing else says that it is one."""
    if not part.context.drill and named(part.own, _flat(part.words.phrases["drill"])):
        yield Fault("calls itself a drill and is none", "并非演练，却写明演练")
    if part.context.drill and not has_any(_head(part), part.words.phrases["drill"]):
        yield Fault("a drill says so at its head", "演练通知开头须标明演练")


def action(part: Part) -> Iterator[Fault]:
    """The name of the notice is that of the market action, and of no other."""
    wanted = part.context.market_action.value
    folded = _head(part).casefold()
    best: tuple[int, str] | None = None
    for name, wordings in part.words.actions.items():
        for wording in wordings:
            pieces = [piece.casefold() for piece in _pieces(wording)]
            if all(piece in folded for piece in pieces):
                found = (sum(map(len, pieces)), name)
                best = found if best is None or found[0] > best[0] or name == wanted == found[1] else best
    expected = part.words.actions.get(wanted) or part.words.actions["removal"]
    same = best is not None and (part.words.actions[best[1]] == expected)
    if not same:
        yield Fault(
            f"the head names the action {wanted} ({shown(expected)!r})", f"开头须写明召回方式（“{shown(expected)}”）"
        )


def standing(part: Part) -> Iterator[Fault]:
    """Only a notice that ends or retracts says so: elsewhere it would tell the reader to do nothing.

    Its own words are meant: a catheter may be called "open-ended".
    """
    for phrase, kinds in _SAID_OF.items():
        words = () if part.kind in kinds else _flat(part.words.phrases[phrase])
        if named(part.said, words):
            for word in named(own_words(part.said, part.context, part.language, part.words), words):
                yield Fault(f"a notice of the kind {part.kind.value} does not say {word!r}", f"此类通知不得写“{word}”")


def _flat(wordings: Iterable[str | Sequence[str]]) -> list[str]:
    return [each if isinstance(each, str) else " ".join(each) for each in wordings]


def lots(part: Part) -> Iterator[Fault]:
    """Every affected lot of every product, in one list right after its product, and nothing else in it."""
    at = 0
    for product in part.context.products:
        if len(product.lots) > MAX_LOTS:
            if not holds(part.bare, str(len(product.lots))):
                count = len(product.lots)
                yield Fault(
                    f"{product.name}: the number of affected lots, {count}", f"{product.name}：涉及批号数量 {count}"
                )
            continue
        start = finder(product.name).search(part.bare, at)
        found = _listed(part, product.lots, start.end() if start else at)
        if found is None:
            yield from _wrong_list(part, product.name, product.lots)
        else:
            at = found.end() - 1


def _listed(part: Part, listed: Sequence[str], at: int = 0) -> re.Match[str] | None:
    """Where the list stands: after a colon, to the end of its line, with its length before the colon."""
    expected = finder(part.words.separator.join(listed), after=part.words.colon, whole_line=True)
    for found in expected.finditer(part.bare, at):
        line = part.bare[part.bare.rfind("\n", 0, found.start()) + 1 : found.start()]
        if holds(line, str(len(listed))):
            return found
    return None


def _wrong_list(part: Part, product: str, listed: Sequence[str]) -> Iterator[Fault]:
    best: list[str] = []
    for line in part.bare.splitlines():
        for colon in re.finditer(re.escape(part.words.colon), line):
            items = [item.strip() for item in line[colon.end() :].split(part.words.separator.strip())]
            if len(set(items) & set(listed)) > len(set(best) & set(listed)):
                best = items
    missing = [lot for lot in listed if lot not in best]
    strange = [item for item in best if item and item not in listed]
    if missing:
        names = _some(missing)
        yield Fault(f"{product}: lots missing: {names}", f"{product}：缺少批号 {names}")
    if strange:
        names = _some(strange)
        yield Fault(f"{product}: not in the scope: {names}", f"{product}：不属于召回范围的批号 {names}", FOREIGN)
    if not missing and not strange:
        yield Fault(
            f"{product}: the lots stand in one list after their product, with their number",
            f"{product}：批号须与产品对应并列明数量",
        )


def _some(items: Sequence[str]) -> str:
    more = f" +{len(items) - _SHOWN}" if len(items) > _SHOWN else ""
    return ", ".join(item[:60] for item in items[:_SHOWN]) + more


def lots_changed(part: Part) -> Iterator[Fault]:
    """The lots that came in and went out, each list under its own word."""
    change = part.context.change
    if change is None:
        return
    for every, phrase in ((change.added, "now_affected"), (change.removed, "no_longer_affected")):
        # A retraction speaks only of what is no longer under recall.
        for each in () if part.kind is NoticeKind.RETRACTION and phrase == "now_affected" else every:
            yield from _changed_list(part, each, phrase)


def _changed_list(part: Part, each: NoticeLots, phrase: str) -> Iterator[Fault]:
    wordings = part.words.phrases[phrase]
    if len(each.lots) > MAX_LOTS:
        if not holds(part.bare, str(len(each.lots))):
            yield Fault(
                f"{each.product}: the number of lots, {len(each.lots)}", f"{each.product}：批号数量 {len(each.lots)}"
            )
        return
    expected = finder(part.words.separator.join(each.lots), after=part.words.colon, whole_line=True)
    for found in expected.finditer(part.bare):
        before = part.bare[: found.start()]
        line = before.rsplit("\n", 1)[-1]
        # A retraction says once, above the lists, what they are; an amendment says it of each.
        said = before if part.kind is NoticeKind.RETRACTION else line
        if has_any(said, wordings) and each.product in line and holds(line, str(len(each.lots))):
            return
    missing = [lot for lot in each.lots if not holds(part.bare, lot)]
    names = _some(missing or each.lots)
    yield Fault(
        f"{each.product}: {shown(wordings)!r} with the lots {names}", f"{each.product}：变更批号 {names} 未按记录列出"
    )


def class_changed(part: Part) -> Iterator[Fault]:
    """From which class to which."""
    change = part.context.change
    if change is None or not change.class_changed:
        return
    for each in (change.class_from, change.class_to):
        if each is not None and not any(holds(part.bare, shown([word])) for word in part.words.class_names[each.value]):
            yield Fault(f"the change of class names class {each}", f"级别变更须写明 {each} 级")


def classification(part: Part) -> Iterator[Fault]:
    """The level of each law as its profile calls it, and no class beside those on record."""
    if part.channel in FULL and part.name != "subject" and part.kind is not NoticeKind.RETRACTION:
        for level, term in zip(part.context.levels, FACTS["levels"](part.context, part.language), strict=True):
            labels = (f"({level.jurisdiction}):", f"（{level.jurisdiction}）：")
            if not any(finder(term, after=label).search(part.bare) for label in labels):
                yield Fault(
                    f"the classification {term!r} under {level.jurisdiction}",
                    f"{level.jurisdiction} 的召回级别“{term}”",
                )
    change = part.context.change
    told = [each for each in (change.class_from, change.class_to) if each] if change else []
    allowed = [shown([word]) for each in told for word in part.words.class_names[each.value]]
    rest = masked(part.own, allowed)
    for strange in sorted({found.group() for found in re.finditer(part.words.class_pattern, rest)}):
        yield Fault(f"{strange!r} is no class on record", f"“{strange}”与记录的级别不符")


def own_lots(part: Part) -> Iterator[Fault]:
    """What was delivered to this recipient: its lots and quantities, or in a short text the link to them."""
    if part.channel in FULL:
        labels = [shown([each]) for each in part.words.phrases["lot_label"]]
        lot = any(finder(value, after=label).search(part.full) for label in labels for value in SHOWN["lot.number"])
        there = lot and all(value in part.full for value in SHOWN["lot.quantity"])
    else:
        there = any(all(value in part.full for value in SHOWN[slot]) for slot in ("lots_brief", "link"))
    if not there:
        yield Fault("the recipient's own lots and quantities", "收货方自己的批号和数量")


def no_foreign_lot(part: Part) -> Iterator[Fault]:
    """No lot is named that is not in the scope."""
    found = foreign_lots(part.own, part.words, scope_lots(part.context), part.other_lots)
    if found:
        names = _some(found)
        yield Fault(f"not in the scope: {names}", f"不属于召回范围的批号 {names}")


def no_reassurance(part: Part) -> Iterator[Fault]:
    """Nothing that makes the risk look smaller (MEDDEV 2.12-1: no comments that play it down)."""
    words = part.words.reassurance
    for word in named(part.own, (*words.refused, *words.flagged)):
        yield Fault(f"weakening words: {word!r}", f"弱化风险的用语“{word}”")


def no_promotion(part: Part) -> Iterator[Fault]:
    """No promotional matter (21 CFR 7.49(c)(2))."""
    words = part.words.promotion
    for word in named(part.own, (*words.refused, *words.flagged)):
        yield Fault(f"promotional words: {word!r}", f"宣传用语“{word}”")


RULES: Final[Mapping[str, Rule]] = {
    "marking": marking,
    "drill": drill,
    "action": action,
    "lots": lots,
    "lots_changed": lots_changed,
    "class_changed": class_changed,
    "classification": classification,
    "own_lots": own_lots,
    "no_foreign_lot": no_foreign_lot,
    "no_reassurance": no_reassurance,
    "no_promotion": no_promotion,
    "no_strange_value": no_strange_value,
    "readable": readable,
    "standing": standing,
}

__all__ = ["FOREIGN", "RULES", "Fault", "Part", "affirmed", "has_any", "shown"]
