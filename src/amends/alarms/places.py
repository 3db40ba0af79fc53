"""Where alarms go, by the settings."""

from __future__ import annotations

from collections.abc import Sequence

from amends.alarms.command import CommandPlace
from amends.alarms.notices import LogPlace, NoticePlace
from amends.alarms.rules import RULES, STORE_AWAY
from amends.alarms.settings import AlarmSettings
from amends.alarms.webhook import WebhookPlace, networks_of, webhook_address
from amends.errors import UnusableInput


def places_of(settings: AlarmSettings) -> Sequence[NoticePlace]:
    """Where alarms are told; nowhere where nothing is set.

    Raises:
        UnusableInput: a setting is not what it has to be.
    """
    for name in settings.off:
        if name not in (*RULES, STORE_AWAY):
            raise UnusableInput(f"off has {name!r}, which is no alarm; those are: {', '.join((*RULES, STORE_AWAY))}")
    places: list[NoticePlace] = [LogPlace()] if settings.log else []
    if settings.command:
        places.append(CommandPlace(settings.command, settings.timeout_s))
    if settings.webhook:
        at = webhook_address(settings.webhook, settings.webhook_hosts)
        places.append(WebhookPlace(at, networks_of(settings.webhook_networks), settings.timeout_s))
    return places
