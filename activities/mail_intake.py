"""What becomes of one mail that came back, in one transaction: nothing is guessed, and nothing is dropped.

A report counts only when it was sent to the notice's own return path. A person's answer counts when it answers a notice
of ours and its sender can be the recipient; everything else of a person about a running recall becomes a task. Harm is
recorded whatever else is unclear. Each mail is kept as an evidence file and a row, once.
"""

from dataclasses import replace
from typing import Final
from uuid import uuid4

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.mail_facts import Found, Incoming, Taken
from db.repositories import complaints, merged_answers, merging, refusals, replies, returned_mail, stranger_harm
from db.repositories.inbound import keep_inbound
from db.repositories.provider_events import record_provider_event
from db.repositories.returned_mail import MAILBOX, PROVIDER, Keep, SentNotice
from db.repositories.senders import InboundMatch
from domain.mail_answers import MailAnswer
from domain.mail_bounces import Fate
from domain.mail_kinds import MailKind
from domain.mail_reading import ReadMail
from domain.return_path import ReturnKind
from domain.sms_replies import SmsIntent
from domain.sms_replies import SmsReply as Reading
from models.evidence import Evidence
from models.harm import HarmReport, HarmStated
from models.replies import SmsReply
from models.returned_mail import MailSender

MAIL_PROVIDER: Final = "smtp"
"""Provider of the delivery events that mail systems report."""
_AFFECTED: Final = {SmsIntent.HOLDING: True, SmsIntent.NONE_LEFT: False}
_UNREAD: Final = MailAnswer(SmsIntent.UNCLEAR, "", harm=False)


async def take_in(session: AsyncSession, mail: Incoming, message_id_of: str) -> Taken:
    """Keep a mail and act on it; the same mail again changes nothing.

    Args:
        message_id_of: domain of our Message-IDs.
    """
    found = await _find(session, mail.read)
    new = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=mail.read.key,
        contact_id=found.contact_id,
        body=mail.read.answer.text if mail.read.answer else mail.read.fault or "",
        outcome=found.outcome,
        at=mail.now,
        sender=mail.read.sender,
    )
    if not new:
        return Taken("repeated")
    if mail.read.kind in {MailKind.PERSON, MailKind.UNREADABLE}:
        taken = await _take_answer(session, mail, found)
    else:
        taken = await _take_report(session, mail, found, message_id_of)
    if mail.read.token_refused:  # after what locks a consignee, because it is audited
        detail = {"mail": mail.read.key, "kind": mail.read.kind.value}
        number = found.notice.recall_number if found.notice else None
        await refusals.record_refused_access(session, "mail_token", number=number, detail=detail, now=mail.now)
    await _keep(session, mail, found, taken)
    return taken


# ---------------------------------------------------------------------- what it is about


async def _find(session: AsyncSession, read: ReadMail) -> Found:
    notice = await returned_mail.notice_of(session, read.delivery_id) if read.delivery_id else None
    if notice is not None and notice.drill:
        notice = None  # A drill sends nothing, so nothing of it comes back.
    contact_id = notice.contact_id if notice else None
    if read.kind not in {MailKind.PERSON, MailKind.UNREADABLE}:
        sender = MailSender.forged if read.token_refused else MailSender.system
        return Found(_outcome_of_report(read, notice), sender, notice, contact_id=contact_id)
    if notice is not None:
        sender, notice = await _who_answers(session, read, notice)
        return Found(_outcome_of_answer(read, notice, sender), sender, notice, contact_id=notice.contact_id)
    return await _find_by_sender(session, read)


async def _find_by_sender(session: AsyncSession, read: ReadMail) -> Found:
    """A mail that answers no notice: by its sender's address, which is only a claim, so a person reads it."""
    if read.forged_sender or read.token_refused:
        return Found("forged_sender" if read.forged_sender else "forged_token", MailSender.forged)
    known = await returned_mail.contact_with_email(session, read.sender) if read.sender else None
    if known is None:
        outcome = "unreadable" if read.kind is MailKind.UNREADABLE else "unknown_sender"
        return Found(outcome, MailSender.unknown)
    named = read.answer.recall_no if read.answer else None
    matches = await returned_mail.inbound_contact_by_email(session, read.sender, recall_number=named)
    outcome = "unclear" if matches else "no_open_recall"
    return Found(outcome, MailSender.contact, matches=tuple(matches), contact_id=known)


async def _who_answers(session: AsyncSession, read: ReadMail, notice: SentNotice) -> tuple[MailSender, SentNotice]:
    """Who answers, and for which site: whoever has left one may still read for others that the mail speaks of."""
    sender = _sender(read, notice)
    if sender is MailSender.other and read.sender == notice.address and read.sender in notice.gone:
        site = await merging.first_not_left(session, notice.delivery_id)
        if site is not None:
            return MailSender.contact, replace(
                notice, delivery_id=site.delivery_id, consignee_id=site.consignee_id, contact_id=site.contact_id
            )
    return sender, notice


def _sender(read: ReadMail, notice: SentNotice) -> MailSender:
    if read.forged_sender or read.token_refused:
        return MailSender.forged
    if read.sender and read.sender in notice.others:
        return MailSender.contact
    if read.sender in notice.gone:
        return MailSender.other
    domain = read.sender.rpartition("@")[2]
    by_its_address = read.token is not None and read.token.kind is ReturnKind.ANSWER
    if by_its_address and domain and domain == notice.address.rpartition("@")[2]:
        return MailSender.colleague
    return MailSender.other


def _outcome_of_report(read: ReadMail, notice: SentNotice | None) -> str:
    if read.token_refused:
        return "forged_token"
    if read.kind is not MailKind.REPORT:
        return "auto_reply" if read.kind is MailKind.AUTOMATIC else "receipt"
    if not read.proven_report:
        return "unproven_report"
    return read.report.fate.value if read.report and notice else "no_delivery"


def _outcome_of_answer(read: ReadMail, notice: SentNotice, sender: MailSender) -> str:
    if notice.ended:
        return "no_open_recall"
    if sender is MailSender.forged:
        return "forged_sender"
    if sender is MailSender.other:
        return "unknown_sender"
    unclear = read.answer is None or read.answer.intent in {SmsIntent.UNCLEAR, SmsIntent.NEEDS_HELP}
    return "unclear" if unclear else "reply"


# ---------------------------------------------------------------------- reports


async def _take_report(session: AsyncSession, mail: Incoming, found: Found, domain: str) -> Taken:
    read, notice = mail.read, found.notice
    taken = Taken(found.outcome)
    if notice is None:
        report = read.report
        if read.proven_report and read.token and report and report.fate in {Fate.DEAD, Fate.NOT_DELIVERED}:
            ours = f"<{read.token.delivery_id}@{domain}>"
            if await returned_mail.note_staff_bounce(session, ours, report.code[:40], mail.now):
                return replace(taken, outcome="staff_bounce")
        return taken
    if read.token_refused or (read.kind is MailKind.REPORT and not read.proven_report):
        return taken
    status = found.outcome
    code = read.report.code[:40] if read.report else None
    if status == Fate.DEAD.value and not _names_the_contact(read, notice):
        # It was passed on, or to a list: the address that is dead is another one than ours.
        status = Fate.NOT_DELIVERED.value
    contacts: list[int] = []
    if status == Fate.DEAD.value:
        others = [site.contact_id for site in await merging.sites_of(session, notice.delivery_id)]
        contacts = list(dict.fromkeys([notice.contact_id, *others]))
        await returned_mail.hold(session, notice.delivery_id, contacts)
    event = await record_provider_event(
        session,
        provider=MAIL_PROVIDER,
        provider_id=notice.provider_id or f"<{notice.delivery_id}@{domain}>"[:120],
        delivery_id=notice.delivery_id,
        status=status,
        error_code=code,
        at=mail.now,
    )
    if event.nudge_due:
        for contact in contacts:
            await returned_mail.note_dead_contact(session, contact, notice.recall_number, mail.now)
    return Taken(status, event=event)


def _names_the_contact(read: ReadMail, notice: SentNotice) -> bool:
    named = read.report.recipients if read.report else ()
    return not named or notice.address in named


# ---------------------------------------------------------------------- answers


async def _take_answer(session: AsyncSession, mail: Incoming, found: Found) -> Taken:
    read, notice = mail.read, found.notice
    answer = read.answer or _UNREAD
    if notice is not None and not notice.ended:
        trusted = found.sender in {MailSender.contact, MailSender.colleague}
        intent = answer.intent if trusted else SmsIntent.UNCLEAR
        return await _reply(session, mail, found, answer, intent)
    if found.matches:
        return await _reply(session, mail, found, answer, SmsIntent.UNCLEAR)
    if answer.harm and found.sender is not MailSender.forged:
        return await _late_harm(session, mail, found, answer)
    if answer.harm:
        return await _page(session, mail, found)
    return Taken(found.outcome)


async def for_other_sites(session: AsyncSession, mail: Incoming) -> list[SmsReply]:
    """What the mail says for further sites, where it answers a notice that was for several; read only.

    Recorded before the mail itself is taken in, each by itself (`db.repositories.merged_answers`).
    """
    if mail.read.kind is not MailKind.PERSON or mail.read.answer is None:
        return []
    found = await _find(session, mail.read)
    trusted = found.sender in {MailSender.contact, MailSender.colleague}
    if found.notice is None or found.notice.ended or not trusted:
        return []
    answer = mail.read.answer
    return await merged_answers.for_other_sites(session, _said(mail, found.notice, answer, answer.intent))


def _said(mail: Incoming, about: SentNotice | InboundMatch, answer: MailAnswer, intent: SmsIntent) -> SmsReply:
    return SmsReply(
        channel="email",
        recall_number=about.recall_number,
        consignee_id=about.consignee_id,
        contact_id=about.contact_id,
        at=mail.now,
        provider=PROVIDER,
        provider_id=mail.read.key,
        body=answer.text,
        acknowledges=Reading(intent).acknowledges,
        affected=_AFFECTED.get(intent),
        delivery_id=about.delivery_id,
        harm=answer.harm,
        aware_at=min(mail.arrived_at, mail.now),
        more=answer.more,
    )


async def _reply(session: AsyncSession, mail: Incoming, found: Found, answer: MailAnswer, intent: SmsIntent) -> Taken:
    about = found.notice or found.matches[0]
    said = await merged_answers.as_said(session, _said(mail, about, answer, intent))
    recorded = await replies.record_sms_reply(session, said)
    return Taken(found.outcome, reply=(about.recall_number, about.consignee_id, recorded))


async def _late_harm(session: AsyncSession, mail: Incoming, found: Found, answer: MailAnswer) -> Taken:
    """Harm reported when no campaign runs any more, or by a stranger who names a recall: a complaint all the same."""
    where = await returned_mail.recall_of_harm(session, mail.read.sender, answer.recall_no)
    if where is None:
        return await _page(session, mail, found)
    report = HarmReport(
        number=where.recall_number,
        harm=HarmStated(description=answer.text or "harm (by e-mail)"),
        source="email",
        awareness_at=min(mail.arrived_at, mail.now),
        at=mail.now,
        recorded_by=f"consignee:{where.consignee_id}" if where.consignee_id else "unknown sender",
        role="recipient",
        consignee_id=where.consignee_id,
        form_id=f"{PROVIDER}:{mail.read.key}"[:64],
    )
    await complaints.record(session, report)
    return Taken(found.outcome, harm_in=where.recall_number)


async def _page(session: AsyncSession, mail: Incoming, found: Found) -> Taken:
    """Harm that belongs to no recall we can name: a person reads it now."""
    paged = await stranger_harm.take_up(
        session,
        provider=PROVIDER,
        provider_id=mail.read.key,
        aware_at=min(mail.arrived_at, mail.now),
        now=mail.now,
    )
    return Taken(found.outcome, paged=paged)


# ---------------------------------------------------------------------- the record of the mail itself


async def _keep(session: AsyncSession, mail: Incoming, found: Found, taken: Taken) -> None:
    read, notice = mail.read, found.notice
    replied = taken.reply
    number = notice.recall_number if notice else replied[0] if replied else taken.harm_in
    file = Evidence(
        id=uuid4(),
        file_name=f"mail-{read.key[:16]}.eml",
        content_type="message/rfc822",
        size=mail.size,
        sha256=mail.sha256,
        uploaded_by=MAILBOX,
        uploaded_at=mail.now,
    )
    kept = Keep(
        mail_key=read.key,
        message_id=read.message_id,
        kind=read.kind.value,
        sender=found.sender,
        outcome=taken.outcome,
        size=mail.size,
        whole=mail.whole,
        arrived_at=mail.arrived_at,
        read_at=mail.now,
        file=file,
        recall_number=number,
        delivery_id=notice.delivery_id if notice else None,
        status=read.report.status if read.report else None,
    )
    await returned_mail.keep(session, kept, reply_id=replied[2].reply_id if replied else None)


__all__ = ["Incoming", "Taken", "for_other_sites", "take_in"]
