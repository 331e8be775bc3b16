"""By which address a channel reaches a contact, as SQL over the row `contact`."""

from typing import Final

_LIVE_PUSH: Final = "SELECT s.* FROM push_subscription s WHERE s.contact_id = contact.id AND s.gone_at IS NULL"

REACHABLE: Final = f"""CASE wish.channel
              WHEN 'email' THEN contact.email IS NOT NULL AND contact.status <> 'bounced'
              WHEN 'sms' THEN contact.phone IS NOT NULL AND contact.sms_opted_out_at IS NULL
              WHEN 'voice' THEN contact.phone IS NOT NULL AND contact.voice_opted_out_at IS NULL
              WHEN 'webhook' THEN contact.webhook_url IS NOT NULL
              WHEN 'push' THEN EXISTS ({_LIVE_PUSH})
          END"""
"""Whether the channel `wish.channel` has an address at `contact` that is not known to be dead."""

ADDRESS: Final = f"""CASE d.channel
           WHEN 'email' THEN contact.email
           WHEN 'webhook' THEN CASE WHEN contact.webhook_url IS NOT NULL THEN json_build_object(
               'url', contact.webhook_url, 'format', contact.webhook_format, 'key', contact.webhook_key)::text END
           WHEN 'push' THEN (
               SELECT json_agg(json_build_object('endpoint', p.endpoint, 'p256dh', p.p256dh, 'auth', p.auth)
                               ORDER BY p.id DESC)::text
               FROM ({_LIVE_PUSH}) p)
           WHEN 'sms' THEN CASE WHEN contact.sms_opted_out_at IS NULL THEN contact.phone END
           WHEN 'voice' THEN CASE WHEN contact.voice_opted_out_at IS NULL THEN contact.phone END
       END"""  # noqa: S608 - constants
"""The address of `contact` that the delivery `d` goes to; null when it is gone since, or opted out of.

A web address comes with what its adapter needs beside it, as JSON (`adapters.messaging.targets`).
"""
