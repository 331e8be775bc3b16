"""From the record to the values of fields: pure functions that several documents use."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from domain.documents.record import Product, RecordView
from domain.documents.rows import (
    BalanceRow,
    CapaRow,
    ClassRow,
    CommunicationRow,
    ConsigneeRow,
    CountryRow,
    DeviceRow,
    DisposedRow,
    HarmRow,
    LotRow,
    SilentRow,
)
from domain.documents.words import word
from domain.mass_balance import plain, total

CHINESE = "zh-CN"


def text_in(texts: Mapping[str, str], language: str) -> str | None:
    """A free text of the recall in one language; None where nobody wrote it in that language."""
    return texts.get(language)


def untranslated(view: RecordView, language: str) -> str:
    """Why a text is missing in a language."""
    return f"the record holds it in {', '.join(sorted(view.reason)) or 'no language'} only, not in {language}"


def devices(view: RecordView) -> tuple[DeviceRow, ...]:
    """The affected products, each with its lots."""
    lots: dict[str, list[str]] = {}
    for lot in view.lots:
        lots.setdefault(lot.product_code, []).append(lot.number)
    return tuple(
        DeviceRow(
            name=each.name,
            brand=each.brand,
            code=each.code,
            udi_di=each.udi_di or each.gtin,
            device_class=each.device_class,
            manufacturer=_makers(view, each.makers, each.made_by_us),
            lots=", ".join(lots.get(each.code, [])) or "-",
        )
        for each in view.products
    )


def _makers(view: RecordView, makers: tuple[str, ...], ours: bool) -> str | None:
    names = [*makers, *([view.firm.name] if ours else [])]
    return ", ".join(names) or None


def other_makers(view: RecordView) -> str | None:
    """Manufacturers other than the firm; None where the record names none."""
    return ", ".join(sorted({maker for each in view.products for maker in each.makers})) or None


def lots(view: RecordView, added_since: int = 0) -> tuple[LotRow, ...]:
    """The lots in scope; of an extension only those added by it."""
    return tuple(
        LotRow(
            product=each.product,
            lot=each.number,
            site=each.site,
            made_on=each.made_on,
            expires_on=each.expires_on,
            made=each.made,
            shipped=each.shipped,
        )
        for each in view.lots
        if each.added_in >= added_since
    )


def consignees(view: RecordView, added_since: int = 0, country: str | None = None) -> tuple[ConsigneeRow, ...]:
    """Who received what, when: a row per consignee and lot."""
    return tuple(
        ConsigneeRow(
            name=each.name,
            country=each.country,
            phone=each.phone,
            lot=each.lot,
            quantity=each.quantity,
            shipments="; ".join(f"{day.isoformat()}: {plain(units)}" for day, units in each.shipments) or None,
            basis="stated by another consignee" if each.stated else "our shipment records",
        )
        for each in view.deliveries
        if each.added_in >= added_since and country in (None, each.country)
    )


def communications(view: RecordView) -> tuple[CommunicationRow, ...]:
    """Copies of the notices, oldest version first."""
    return tuple(
        CommunicationRow(
            notice=each.notice_version,
            step=each.step,
            channel=each.channel,
            language=each.language,
            approved_at=each.approved_at,
            sha256=each.sha256,
            text=f"{each.subject}\n\n{each.text}" if each.subject else each.text,
        )
        for each in view.communications
    )


def harms(view: RecordView) -> tuple[HarmRow, ...]:
    """Reports of harm with the number of the report made on each in this jurisdiction."""
    return tuple(
        HarmRow(
            number=each.sequence,
            aware=each.awareness_at,
            severity=each.severity,
            patients=each.patients,
            description=each.description,
            report=each.reported.get(view.jurisdiction),
        )
        for each in view.harms
    )


def classes(view: RecordView) -> tuple[ClassRow, ...]:
    """The class of each product line in this jurisdiction."""
    return tuple(
        ClassRow(
            line=each.line,
            level=each.term,
            action=each.market_action,
            decided_by=each.decided_by,
            decided_at=each.decided_at,
            reasons="; ".join(each.reasons) or "-",
            authority_class=each.authority_class,
        )
        for each in view.lines
    )


def classes_zh(view: RecordView) -> tuple[ClassRow, ...]:
    """As `classes`, with the level's Chinese term."""
    named = {each.line: each.term_zh for each in view.lines}
    return tuple(row.model_copy(update={"level": named[row.line]}) for row in classes(view))


def balance(view: RecordView) -> tuple[BalanceRow, ...]:
    """The mass balance, lot by lot."""
    return tuple(
        BalanceRow(
            product=each.product_code,
            lot=each.number,
            produced=each.terms.produced,
            distributed=each.terms.distributed,
            own_stock=each.terms.own_stock + each.terms.retained,
            returned=each.terms.returned + each.terms.returned_to_maker,
            destroyed=each.terms.destroyed_in_place,
            corrected=each.terms.corrected + each.terms.released + each.terms.replaced,
            used=each.terms.used + each.terms.implanted,
            pending=each.terms.held_pending,
            unaccounted=each.terms.unaccounted,
        )
        for each in view.balance
    )


def summary_of_balance(view: RecordView) -> str | None:
    """The sums over all lots in one sentence; None without a lot that left us."""
    if not view.balance:
        return None
    sums = total(each.terms for each in view.balance)
    back = sums.returned + sums.returned_to_maker
    gone = sums.destroyed_in_place + sums.corrected + sums.released + sums.replaced
    return (
        f"Distributed {plain(sums.distributed)}; returned {plain(back)}; "
        f"destroyed or corrected in place {plain(gone)}; "
        f"used {plain(sums.used + sums.implanted)}; held pending {plain(sums.held_pending)}; "
        f"unaccounted {plain(sums.unaccounted)} ({plain(sums.unaccounted_share)} %)."
    )


def shipped(view: RecordView) -> Decimal | None:
    """Units distributed of all lots in scope."""
    return sum((each.shipped for each in view.lots), Decimal(0)) if view.lots else None


def made(view: RecordView) -> Decimal | None:
    """Units made of all lots in scope; None as soon as one lot's is not recorded."""
    known = [each.made for each in view.lots]
    return None if not known or None in known else sum((each for each in known if each is not None), Decimal(0))


def countries(view: RecordView) -> tuple[CountryRow, ...]:
    """Where the product went."""
    return tuple(CountryRow(country=a, consignees=b, units=c) for a, b, c in view.progress.countries)


def silent(view: RecordView) -> tuple[SilentRow, ...]:
    """Consignees told and silent."""
    return tuple(SilentRow(name=name, country=country) for _, name, country in view.progress.silent)


def disposed(view: RecordView) -> tuple[DisposedRow, ...]:
    """Dispositions by kind."""
    return tuple(DisposedRow(kind=each.kind, decided=each.decided, done=each.done) for each in view.disposed)


def capas(view: RecordView) -> tuple[CapaRow, ...]:
    """CAPA with cause and actions."""
    return tuple(
        CapaRow(
            title=each.title,
            state=each.state,
            cause=each.cause,
            actions="; ".join(each.actions) or None,
            effective=each.effective,
        )
        for each in view.capas
    )


def notified(view: RecordView) -> str | None:
    """Number, dates and methods of notification (21 CFR 7.53(b)(1)); None before anybody was told."""
    told = view.progress
    if not told.notified or told.first_notified_at is None or told.last_notified_at is None:
        return None
    how = ", ".join(f"{channel} {count}" for channel, count in sorted(told.by_channel.items()))
    return (
        f"{told.notified} of {told.consignees} consignees, {told.first_notified_at.date().isoformat()} to "
        f"{told.last_notified_at.date().isoformat()}, by {how or 'telephone or in person'}"
    )


def progress(view: RecordView) -> str | None:
    """Notification and answers in one sentence; None before anybody was told."""
    told = notified(view)
    if told is None:
        return None
    each = view.progress
    return f"{told}; {each.responded} responded, {each.documented} documented, {len(each.silent)} silent"


def effectiveness(view: RecordView) -> str | None:
    """The checks of the newest round and their results; None before a sample was drawn."""
    if view.checks is None:
        return None
    each = view.checks
    return (
        f"Level {each.level} ({each.percent} %): {each.sample} of {each.population} consignees sampled; "
        f"{each.passed} passed, {each.failed} failed, {each.no_response} without response, {each.pending} pending; "
        f"result: {each.outcome or 'not yet judged'}"
    )


def hazard(view: RecordView) -> str | None:
    """The signed evaluations, factor by factor (21 CFR 7.41(a)); None without one."""
    return "\n\n".join(_evaluation(each.line, each.assessor, each.form) for each in view.evaluations) or None


def _evaluation(line: str, assessor: str, form: object) -> str:
    lines = [f"{line} (signed by {assessor})"]
    for name in type(form).model_fields:  # type: ignore[attr-defined]
        factor = getattr(form, name)
        rationale = getattr(factor, "rationale", None)
        if rationale:
            lines.append(f"- {name.replace('_', ' ')}: {_degrees(factor)}{rationale}")
        elif isinstance(factor, str):
            lines.append(f"- {name.replace('_', ' ')}: {factor}")
    return "\n".join(lines)


def _degrees(factor: object) -> str:
    fields = {name: getattr(factor, name) for name in type(factor).model_fields if name != "rationale"}  # type: ignore[attr-defined]
    shown = [f"{name.replace('_', ' ')} {_word(value)}" for name, value in fields.items() if value is not None]
    return f"{', '.join(shown)}. " if shown else ""


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(_word(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(getattr(value, "value", value)).replace("_", " ")


def named(product: Product) -> str:
    """Brand and name of one product."""
    return f"{product.brand} {product.name}" if product.brand else product.name


def events(view: RecordView, language: str) -> str | None:
    """What happened: the reason as written, where it was seen, since when the firm is aware; None untranslated."""
    reason = text_in(view.reason, language)
    if reason is None:
        return None
    aware = f"{view.awareness_at:%Y-%m-%d %H:%M} UTC"
    reference = f" ({view.trigger_reference})" if view.trigger_reference else ""
    if language == CHINESE:
        return f"{reason}\n\n信息来源：{word(view.trigger_source)}{reference}。知悉时间：{aware}。"
    return f"{reason}\n\nSource: {view.trigger_source.replace('_', ' ')}{reference}. Firm aware since {aware}."


def actions(view: RecordView) -> str | None:
    """Market actions and the signed strategy (21 CFR 7.42); None before it is signed."""
    if view.strategy is None:
        return None
    taken = ", ".join(sorted({line.market_action.replace("_", " ") for line in view.lines})) or "not decided"
    found = view.strategy
    lines = [
        f"Action: {taken}.",
        f"Depth: {str(found['depth']).replace('_', ' ')}.",
        f"Effectiveness checks: level {found['effectiveness_level']}.",
        f"Public warning: {'yes' if found['public_warning'] else 'no'}.",
        f"Sub-recall by consignees: {'yes' if found['sub_recall'] else 'no'}.",
        f"Out-of-business accounts: {found['out_of_business']}.",
    ]
    if found.get("destruction_method"):
        lines.append(f"Destruction: {found['destruction_method']}.")
    lines += [f"CAPA {each.sequence}: {each.title} ({each.state})." for each in view.capas]
    return "\n".join(lines)


def injuries(view: RecordView) -> str | None:
    """Injuries as the signed evaluations count them and complaints on record; None without any evaluation."""
    if not view.evaluations:
        return None
    seen = [each.form.occurred for each in view.evaluations]
    return (
        f"Per the signed evaluation: {sum(each.deaths for each in seen)} deaths, "
        f"{sum(each.serious_injuries for each in seen)} serious injuries, "
        f"{sum(each.other_injuries for each in seen)} other injuries. Complaints on record: {len(view.harms)}."
    )


def expiries(view: RecordView) -> str | None:
    """Expiry dates of the lots; None as soon as one lot has none on record."""
    known = [each.expires_on for each in view.lots]
    dates = sorted({each for each in known if each is not None})
    return None if not known or None in known else ", ".join(each.isoformat() for each in dates)


def all_ours(view: RecordView) -> bool:
    """Whether the firm itself made every affected product."""
    return bool(view.products) and all(each.made_by_us and not each.makers for each in view.products)


def none_reported(view: RecordView, *names: str) -> frozenset[str]:
    """Fields about harm that are answered by there being none on record."""
    return frozenset() if view.harms else frozenset(names)


def first(values: Iterable[str | None]) -> str | None:
    """The first text that is there."""
    return next((each for each in values if each), None)


__all__ = [
    "CHINESE",
    "actions",
    "all_ours",
    "balance",
    "capas",
    "classes",
    "classes_zh",
    "communications",
    "consignees",
    "countries",
    "devices",
    "disposed",
    "effectiveness",
    "events",
    "expiries",
    "first",
    "harms",
    "hazard",
    "injuries",
    "lots",
    "made",
    "named",
    "none_reported",
    "notified",
    "other_makers",
    "progress",
    "shipped",
    "silent",
    "summary_of_balance",
    "text_in",
    "untranslated",
]
