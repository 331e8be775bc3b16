"""Reports and answers as real mail systems write them, in the form their documentation and RFC 3464 give, with our ids.

Each takes the addresses it needs, so that a test says whose mail it is. Lines end as they do in a mailbox (LF).
"""

from textwrap import dedent

DAEMON = "MAILER-DAEMON@mx.hospital.example (Mail Delivery System)"
_SENT = "Sat, 21 Nov 2026 12:10:00 +0000"


def _headers(to: str, sender: str, subject: str, number: str, *more: str) -> str:
    lines = (
        "Return-Path: <>",
        f"Delivered-To: {to}",
        f"Date: {_SENT}",
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{number}@mx.hospital.example>",
        *more,
    )
    return "\n".join(lines) + "\n"


def report(
    to: str,
    recipient: str,
    *,
    action: str,
    status: str,
    diagnostic: str,
    original: str,
    number: str = "20261121121000.4F1A2",
    said: str = "I'm sorry to have to inform you that your message could not be delivered.",
    original_recipient: str | None = None,
) -> bytes:
    """Postfix: multipart/report with the returned headers."""
    head = _headers(
        to,
        DAEMON,
        "Undelivered Mail Returned to Sender",
        number,
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="4F1A2.1763726/mx"',
    )
    asked = f"Original-Recipient: rfc822;{original_recipient}\n" if original_recipient else ""
    return (
        f"{head}\n"
        "This is a MIME-encapsulated message.\n\n"
        "--4F1A2.1763726/mx\nContent-Description: Notification\nContent-Type: text/plain; charset=utf-8\n\n"
        f"This is the mail system at host mx.hospital.example.\n\n{said}\n\n<{recipient}>: {diagnostic}\n\n"
        "--4F1A2.1763726/mx\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.hospital.example\nX-Postfix-Queue-ID: 4F1A2\n"
        f"Arrival-Date: {_SENT}\n\n"
        f"Final-Recipient: rfc822; {recipient}\n{asked}Action: {action}\nStatus: {status}\n"
        f"Remote-MTA: dns; mail.hospital.example\nDiagnostic-Code: smtp; {diagnostic}\n\n"
        "--4F1A2.1763726/mx\nContent-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n"
        f"Return-Path: <{to}>\nFrom: Product Safety <recall@firm.example>\nMessage-ID: {original}\n"
        "Subject: URGENT: MEDICAL DEVICE RECALL\n\n"
        "--4F1A2.1763726/mx--\n"
    ).encode()


def exchange(to: str, recipient: str, *, original: str) -> bytes:
    """Exchange Online: HTML for people, the report, the whole message."""
    head = _headers(
        to,
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@hospital.example>",
        "Undeliverable: URGENT: MEDICAL DEVICE RECALL",
        "b1f1.exchange",
        "Auto-Submitted: auto-replied",
        "X-MS-Exchange-Message-Is-Ndr:",
        "Content-Language: en-GB",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="c0ffee"',
    )
    return (
        f"{head}\n"
        '--c0ffee\nContent-Type: text/html; charset="us-ascii"\n\n'
        "<html><body><p>Your message couldn't be delivered. The address wasn't found.</p></body></html>\n"
        "--c0ffee\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns;LO2P265MB0001.GBRP265.PROD.OUTLOOK.COM\nReceived-From-MTA: dns;mail.firm.example\n"
        f"Arrival-Date: {_SENT}\n\n"
        f"Original-Recipient: rfc822;{recipient}\nFinal-Recipient: rfc822;{recipient}\nAction: failed\nStatus: 5.1.10\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address\n\n"
        "--c0ffee\nContent-Type: message/rfc822\n\n"
        f"Message-ID: {original}\nSubject: URGENT\nContent-Type: text/plain\n\nStop using lot A1.\n"
        "--c0ffee--\n"
    ).encode()


def exim(to: str, recipient: str, *, original: str) -> bytes:
    """Exim 4: report with folded fields and X-Failed-Recipients."""
    head = _headers(
        to,
        "Mail Delivery System <Mailer-Daemon@mx.hospital.example>",
        "Mail delivery failed: returning message to sender",
        "E1abcDE-0001",
        f"X-Failed-Recipients: {recipient}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=1763726-eximdsn-2",
    )
    return (
        f"{head}\n"
        "--1763726-eximdsn-2\nContent-type: text/plain; charset=us-ascii\n\n"
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its recipients.\n"
        f"This is a permanent error. The following address(es) failed:\n\n  {recipient}\n    host mail [192.0.2.1]\n"
        "    SMTP error from remote mail server after RCPT TO: 550 No such user here\n\n"
        "--1763726-eximdsn-2\nContent-type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.hospital.example\n\n"
        f"Action: failed\nFinal-Recipient: rfc822;{recipient}\nStatus: 5.0.0\nRemote-MTA: dns; mail\n"
        "Diagnostic-Code: smtp; 550 No such\n user here\n\n"
        "--1763726-eximdsn-2\nContent-type: message/rfc822\n\n"
        f"Message-ID: {original}\nSubject: URGENT\n\nbody\n"
        "--1763726-eximdsn-2--\n"
    ).encode()


def qmail(to: str, recipient: str, *, temporary: bool = False) -> bytes:
    """qmail: its own format in prose (QSBMF), no report part."""
    said = (
        "I'm not going to try again; this message has been in the queue too long."
        if temporary
        else "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 User unknown\nGiving up on 192.0.2.1."
    )
    return (
        _headers(to, "MAILER-DAEMON@mx.hospital.example", "failure notice", "qmail-1")
        + dedent(
            f"""
            Hi. This is the qmail-send program at mx.hospital.example.
            I'm afraid I wasn't able to deliver your message to the following addresses.
            This is a permanent error; I've given up. Sorry it didn't work out.

            <{recipient}>:
            """
        )
        + f"{said}\n\n--- Below this line is a copy of the message.\n\n"
        f"Return-Path: <{to}>\nSubject: 4.4.1 in our subject must not matter\n\nStop using lot A1.\n"
    ).encode()


def coremail(to: str, recipient: str) -> bytes:
    """A Chinese provider's prose in GB 18030, under an odd name of the character set."""
    head = _headers(
        to,
        "postmaster@hospital.example",
        "=?gbk?B?z7XNs83L0MU=?=",
        "coremail-7",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="gb2312"',
        "Content-Transfer-Encoding: 8bit",
    )
    body = f"抱歉，您的邮件被退回来了……\n无法发送到 {recipient}\n退信原因：收件人不存在 (550 5.1.1 user unknown)\n"
    return f"{head}\n".encode() + body.encode("gb18030")


def answer(
    to: str,
    sender: str,
    text: str,
    *,
    original: str = "",
    number: str = "answer-1",
    subject: str = "Re: URGENT: MEDICAL DEVICE RECALL",
    more: tuple[str, ...] = (),
    content_type: str = "text/plain; charset=utf-8",
) -> bytes:
    """A person's mail program."""
    refers = (f"In-Reply-To: {original}", f"References: {original}") if original else ()
    lines = (
        f"Return-Path: <{sender}>",
        *more,
        f"Delivered-To: {to}",
        f"Date: {_SENT}",
        f"From: Stores <{sender}>",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{number}@mail.hospital.example>",
        *refers,
        "MIME-Version: 1.0",
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: 8bit",
    )
    return ("\n".join(lines) + "\n\n" + text).encode()


def away(to: str, sender: str, *, original: str, number: str = "away-1", declared: bool = True) -> bytes:
    """An out-of-office answer: with RFC 3834's field, or as a system that knows only subjects."""
    more = ("Auto-Submitted: auto-replied",) if declared else ()
    return answer(
        to,
        sender,
        "1\n\nI am out of the office until Monday.",
        original=original,
        number=number,
        subject="Automatic reply: URGENT: MEDICAL DEVICE RECALL",
        more=more,
    )
