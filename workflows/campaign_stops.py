"""Channels that an account-level error stopped: nothing goes out by them but a probe, until a probe goes through.

The probes come after 1, 2, 4 ... 60 minutes, or at once when somebody says that the account was repaired.
"""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.messages import BatchResult, CampaignCarried, CampaignInput, CampaignStop
    from workflows.activity_options import RECORD
    from workflows.deadline import cut

_FIRST_PROBE: Final = timedelta(minutes=1)
_LAST_PROBE: Final = timedelta(hours=1)


class StoppedChannels:
    """What a campaign's workflow knows of its stopped channels."""

    _start: CampaignInput

    def _init_stops(self, carried: CampaignCarried) -> None:
        """Call in `@workflow.init`."""
        self._stop_reasons = dict(carried.stop_reasons)
        """Channel -> account-level error; such a channel is only probed."""
        self._probes = carried.probes
        self._probe_at: datetime | None = None

    async def _note_stop(self, channel: str, result: BatchResult, probing: bool) -> None:
        reason = result.campaign_stop
        if reason is not None and (probing or channel not in self._stop_reasons):
            self._stop_reasons[channel] = reason
            self._probe_at = workflow.now() + min(_FIRST_PROBE * (1 << min(self._probes, 10)), _LAST_PROBE)
            self._probes += 1
        elif reason is None and result.submitted and channel in self._stop_reasons:
            del self._stop_reasons[channel]
            self._probes = 0
        else:
            return
        stop = CampaignStop(
            number=self._start.number,
            campaign_id=self._start.campaign_id,
            channel=channel,
            reason=reason,
            now=workflow.now(),
        )
        await workflow.execute_activity(
            "note_campaign_stop", stop, summary=cut(f"Channel {channel}: {reason or 'works again'}"), **RECORD
        )


__all__ = ["StoppedChannels"]
