"""What a campaign reports to its recall, and when: by tenths of the answers, never reply by reply."""

from models.messages import CampaignInput, CampaignProgress, CampaignReport


def report_of(start: CampaignInput, progress: CampaignProgress, stopped: str | None = None) -> CampaignReport:
    """The counters as the recall needs them; `stopped` names the errors of stopped channels."""
    return CampaignReport(
        campaign_id=start.campaign_id,
        sequence=start.sequence,
        consignees=progress.consignees,
        outstanding=progress.outstanding,
        next_due_at=progress.next_due_at,
        finished=(progress.unsent if start.sent_once else progress.outstanding) == 0,
        stopped=stopped,
        first_sent_at=progress.first_sent_at,
        stated=progress.stated,
        not_notified=progress.not_notified,
    )


def is_over(start: CampaignInput, progress: CampaignProgress) -> bool:
    """Whether a campaign ends by itself: nobody is outstanding, unless it stays open for late consignees.

    What is sent once asks nothing: it is over when every message was accepted by a provider, or refused for good.
    """
    if start.sent_once:
        return progress.unsent == 0
    return progress.outstanding == 0 and not start.stay_open


def is_news(report: CampaignReport, last: CampaignReport | None, all_notified_reported: bool) -> bool:
    """Whether a report is worth an event: the first one, all notified, another tenth answered, finished, stopped.

    Also when everybody has given quantities (effectiveness checks can begin), and when a newer campaign took some over.
    """
    if last is None or (report.not_notified == 0 and not all_notified_reported) or report.consignees < last.consignees:
        return True
    return _news(last) != _news(report)


def percent(report: CampaignReport) -> int | None:
    """Share of consignees heard of, rounded down: 100 only when all were."""
    answered = report.consignees - report.outstanding
    return 100 * answered // report.consignees if report.consignees else None


def _news(report: CampaignReport) -> tuple[int, bool, str | None, bool]:
    return (_tenth(report), report.finished, report.stopped, report.stated >= report.consignees)


def _tenth(report: CampaignReport) -> int:
    return (percent(report) or 0) // 10
