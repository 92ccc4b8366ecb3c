"""Charts under messages that are posted already: whatever goes wrong here, the words are read.

A picture is kept by Slack without being shown anywhere, and then the message is changed to show it:
a change can be repeated without harm, where a file that is shared makes a message of its own, which
carries no metadata to be found again by.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Transient, Unknown
from bot.model.ports import Deliveries, Delivery
from bot.slack.messenger import ChannelGone, MessageGone, Messenger, Picture, Posted, Unshowable
from bot.slack.pacing import Pacing
from bot.slack.views.message import Message
from bot.slack.views.thread import Shown, with_picture

log = structlog.get_logger(__name__)

#: After so many attempts, about two minutes, the words stand alone.
TRIES = 8
#: Slack's limits of all that a picture takes.
LIMITED = "a picture"
#: Pictures that were uploaded and are not shown yet.
REMEMBERED = 200
_GONE = (ChannelGone, MessageGone)


class Pictures:
    """Adds them, one at a time. ``draw`` gives a deployment's chart as of now."""

    def __init__(
        self,
        deliveries: Deliveries,
        messenger: Messenger,
        draw: Callable[[str], Picture | None],
        pacing: Pacing,
    ) -> None:
        self._deliveries = deliveries
        self._messenger = messenger
        self._draw = draw
        self._pacing = pacing
        self._uploaded: dict[int, Shown] = {}
        self._told: set[str] = set()

    def add(self, delivery: Delivery, note: Message, now: datetime) -> bool:
        """Show the chart under its words, which ``note`` are; True where it is shown now.

        Raises ``Unreachable`` where the database cannot be used.
        """
        limited = self._pacing.limited_until(LIMITED, now)
        if limited is not None:
            self._later(delivery, limited, "Paced.")
            return False
        try:
            shown = self._kept(delivery)
            if shown is not None:
                at = Posted(delivery.channel, delivery.ts or "")
                self._messenger.update(at, with_picture(note, shown))
        except _GONE:
            shown = None  # with its words, and nobody misses it
        except QuarterdeckError as fault:
            self._failed(delivery, fault, now)
            return False
        self.leave(delivery)
        return shown is not None

    def _kept(self, delivery: Delivery) -> Shown | None:
        """What Slack keeps of it, from this attempt or an earlier one; ``None`` for no chart."""
        known = self._uploaded.get(delivery.id)
        if known is not None:
            return known
        picture = self._draw(delivery.deployment_id)
        if picture is None:
            return None
        if len(self._uploaded) >= REMEMBERED:
            self._uploaded.clear()  # they are uploaded once more
        shown = Shown(self._messenger.upload(picture), picture.alt)
        self._uploaded[delivery.id] = shown
        return shown

    def _failed(self, delivery: Delivery, fault: QuarterdeckError, now: datetime) -> None:
        if isinstance(fault, Throttled):
            until = self._pacing.limit(LIMITED, now, fault.retry_after)
            self._later(delivery, until, fault.message)
        elif isinstance(fault, Transient | Unknown | Unshowable) and delivery.attempts < TRIES:
            # Unshowable: Slack has not looked at the file yet.
            self._later(delivery, self._pacing.failed(delivery.id, now), fault.message)
        else:
            self._give_up(delivery, fault)

    def _give_up(self, delivery: Delivery, fault: QuarterdeckError) -> None:
        """What only an administrator can mend is said once, and no message waits for it."""
        if not isinstance(fault, AccessDenied) or fault.message not in self._told:
            self._told.add(fault.message)
            log.warning("chart_not_shown", deployment_id=delivery.deployment_id, why=fault.message)
        self.leave(delivery)

    def leave(self, delivery: Delivery) -> None:
        """Leave the message as it is now: nothing more is owed."""
        self._uploaded.pop(delivery.id, None)
        self._pacing.succeeded(delivery.id)
        self._deliveries.delivered(delivery, delivery.channel, delivery.ts or "")

    def _later(self, delivery: Delivery, until: datetime, why: str) -> None:
        self._deliveries.postpone(delivery, until, why, untried=True)
