"""The deliverer: what the outbox owes to Slack becomes messages, each once, the last state always.

A post that may or may not have arrived is looked for by its metadata before it is posted again. A
card whose channel or message is gone is posted elsewhere and says so. Nothing is ever given up:
what cannot be delivered now waits, longer each time, and the newest state goes out in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.model.deployment import Kind, Status
from bot.model.errors import (
    AccessDenied,
    QuarterdeckError,
    Throttled,
    Transient,
    Unknown,
)
from bot.model.ports import Clock, Deliveries, Delivery
from bot.model.reply import CardFacts
from bot.slack.execution import InlineExecutor
from bot.slack.messenger import (
    ChannelGone,
    Letter,
    MessageGone,
    Messenger,
    Picture,
    Posted,
    Unshowable,
)
from bot.slack.pacing import DENIED, LONGEST_WAIT, Pacing
from bot.slack.pictures import TRIES, Pictures
from bot.slack.views.card import card, gist
from bot.slack.views.message import Message
from bot.slack.views.text import channel as channel_link
from bot.slack.views.thread import thread_note

log = structlog.get_logger(__name__)

CARD = "card"
#: How the ids of users and of direct messages begin.
_DIRECT = ("U", "W", "D")
AT_ONCE = 10
#: A claim lives 30 s; what has not been begun by then is left to the next pass.
CLAIMED_FOR = timedelta(seconds=20)
#: Nothing is wrong with what only waits for its turn.
IN_LINE = ""
REPOSTED = "Posted anew: the earlier card of this deployment was deleted or can no longer change."


#: Ends after which a version stays where it is until another one is rolled out.
_STAYING = frozenset({Status.FAILED, Status.TIMED_OUT, Status.OUTCOME_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery with what is to be shown now."""

    delivery: Delivery
    facts: CardFacts
    message: Message

    @property
    def letter(self) -> Letter:
        """As Slack is given it; the key is the same on every attempt."""
        delivery = self.delivery
        return Letter(
            channel=delivery.channel,
            key=f"{delivery.deployment_id}:{delivery.key}",
            message=self.message,
            thread_ts=delivery.thread_ts,
            broadcast=delivery.broadcast,
        )

    @property
    def replaced(self) -> Posted | None:
        """Where the card of a version is that another one has replaced since, and only loses its
        button: where that is gone, nobody wants the old card anew."""
        delivery, one = self.delivery, self.facts.deployment
        past = one.status is Status.SUCCEEDED and one.kind is Kind.DEPLOY and not self.facts.current
        left = one.status in _STAYING and one.handle is not None and not self.facts.stays
        if delivery.key != CARD or delivery.ts is None or not (past or left):
            return None
        return Posted(delivery.channel, delivery.ts)


@dataclass(frozen=True, slots=True)
class Route:
    """``facts`` of a deployment's card as of now; where a card goes when its channel is gone.

    ``chart`` draws a canary's as of now, ``None`` where nothing was measured yet.
    """

    facts: Callable[[str], CardFacts | None]
    announce_in: Callable[[], str | None]
    chart: Callable[[str], Picture | None] = lambda _: None


class Deliverer:
    """Works through the outbox, one pass at a time; nothing here sleeps."""

    def __init__(
        self,
        deliveries: Deliveries,
        route: Route,
        messenger: Messenger,
        clock: Clock,
        claimant: str,
    ) -> None:
        self._deliveries = deliveries
        self._route = route
        self._messenger = messenger
        self._clock = clock
        self._claimant = claimant
        self._pacing = Pacing()
        self._pictures = Pictures(deliveries, messenger, route.chart, self._pacing)
        self._here = InlineExecutor()
        self._notes: dict[int, str] = {}
        self._trouble = ""

    def trouble(self) -> str:
        """What only an administrator can mend (token, scope), for readiness; else empty."""
        return self._trouble

    def deliver_due(self, make_way: Callable[[], object] = lambda: None) -> int:
        """One pass over what is due. Returns how many messages reached Slack.

        ``make_way`` comes before each message: people who wait for an answer go first.

        Raises ``Unreachable`` where the database cannot be used. A fault in one delivery is
        logged and does not hold up the others.
        """
        begun = self._clock.now()
        reached = 0
        claimed = self._deliveries.claim(self._claimant, AT_ONCE, begun)
        for delivery in self._in_order(claimed):
            make_way()
            if self._clock.now() - begun > CLAIMED_FOR:
                break
            future = self._here.submit(self._deliver, delivery)
            fault = future.exception()
            if fault is None:
                reached += future.result()
            elif isinstance(fault, Transient):
                raise fault
            else:
                self._set_aside(delivery, fault)
        return reached

    def _in_order(self, claimed: Iterable[Delivery]) -> list[Delivery]:
        """What says something new first, then cards that only renew figures, then charts."""
        return sorted(claimed, key=lambda one: (one.lacks_chart, self._only_renews(one)))

    def _only_renews(self, delivery: Delivery) -> bool:
        if delivery.key != CARD or delivery.ts is None:
            return False
        future = self._here.submit(self._route.facts, delivery.deployment_id)
        # A fault is met again, and dealt with, when it is this one's turn.
        facts = future.result() if future.exception() is None else None
        if facts is None or facts.deployment.settled:
            return False
        return self._pacing.shows(delivery.deployment_id, gist(facts))

    def _set_aside(self, delivery: Delivery, fault: BaseException) -> None:
        """A mistake of ours in one message must not stop all the others."""
        log.error("delivery_failed", deployment_id=delivery.deployment_id, exc_info=fault)
        if delivery.lacks_chart and delivery.attempts >= TRIES:
            self._pictures.leave(delivery)
            return
        why = f"Internal fault: {type(fault).__name__}"
        self._postpone(delivery, self._pacing.failed(delivery.id, self._clock.now()), why)

    def _deliver(self, delivery: Delivery) -> bool:
        now = self._clock.now()
        facts = self._route.facts(delivery.deployment_id)
        if facts is None:
            until = now + timedelta(seconds=LONGEST_WAIT)
            self._postpone(delivery, until, "There is no such deployment.")
            return False
        if delivery.lacks_chart:
            note = self._draw(delivery, facts, now)
            return self._pictures.add(delivery, note, now)
        outgoing = Outgoing(delivery, facts, self._draw(delivery, facts, now))
        waits = self._must_wait(outgoing, now)
        if waits is not None:
            self._postpone(delivery, waits, IN_LINE)
            return False
        return self._send(outgoing)

    def _draw(self, delivery: Delivery, facts: CardFacts, now: datetime) -> Message:
        if delivery.key != CARD:
            # It is read in the channel, and has to be told from what others send there.
            calls = delivery.calls
            called = facts.called if calls else ""
            return thread_note(facts.deployment, delivery.text, alone=calls, called=called)
        return card(facts, now, self._note(delivery, facts))

    def _note(self, delivery: Delivery, facts: CardFacts) -> str:
        """Why the card is where it is, when that is not where it was asked for."""
        asked_in = facts.deployment.channel
        if asked_in and not asked_in.startswith("D") and delivery.channel != asked_in:
            return f"Shown here because {channel_link(asked_in)} cannot be reached by Quarterdeck."
        return self._notes.get(delivery.id, "")

    def _must_wait(self, outgoing: Outgoing, now: datetime) -> datetime | None:
        """Slack's limits hold for everything; our own pace only until the end is known."""
        delivery = outgoing.delivery
        limited = self._pacing.limited_until(_method(delivery), now)
        if limited is not None or outgoing.facts.deployment.settled or delivery.ts is None:
            return limited
        return self._pacing.update_due(delivery.deployment_id, gist(outgoing.facts), now)

    def _send(self, outgoing: Outgoing) -> bool:
        try:
            posted = self._show(outgoing)
        except (ChannelGone, MessageGone) as gone:
            if outgoing.replaced is not None:
                self._done(outgoing, outgoing.replaced)
                return False
            if isinstance(gone, ChannelGone):
                return self._elsewhere(outgoing, gone)
            return self._anew(outgoing, gone)
        except QuarterdeckError as fault:
            self._later(outgoing.delivery, fault)
            return False
        self._done(outgoing, posted)
        return True

    def _show(self, outgoing: Outgoing) -> Posted:
        try:
            return self._show_as_drawn(outgoing)
        except Unshowable:
            log.exception("message_refused_by_slack", deployment_id=outgoing.delivery.deployment_id)
            # The sentence alone is better than nothing.
            return self._show_as_drawn(replace(outgoing, message=Message(outgoing.message.text)))

    def _show_as_drawn(self, outgoing: Outgoing) -> Posted:
        delivery = outgoing.delivery
        if delivery.ts is not None:
            return self._update(Posted(delivery.channel, delivery.ts), outgoing)
        if delivery.attempted_at is not None:
            found = self._messenger.find(outgoing.letter, delivery.attempted_at)
            if found is not None:
                return self._update(found, outgoing) if delivery.key == CARD else found
        self._deliveries.attempting(delivery, self._clock.now())
        return self._messenger.post(outgoing.letter)

    def _update(self, at: Posted, outgoing: Outgoing) -> Posted:
        self._messenger.update(at, outgoing.message)
        return at

    def _done(self, outgoing: Outgoing, posted: Posted) -> None:
        delivery = outgoing.delivery
        self._deliveries.delivered(delivery.words, posted.channel, posted.ts)
        if delivery.key == CARD:
            shown = gist(outgoing.facts)
            self._pacing.updated(delivery.deployment_id, shown, self._clock.now())
        self._pacing.succeeded(delivery.id)
        self._trouble = ""

    def _later(self, delivery: Delivery, fault: QuarterdeckError) -> None:
        """Keep it; how long depends on what is wrong."""
        now = self._clock.now()
        match fault:
            case Throttled():
                until = self._pacing.limit(_method(delivery), now, fault.retry_after)
            case AccessDenied():
                self._trouble = fault.message
                until = min(self._pacing.failed(delivery.id, now), now + DENIED)
            case _:
                until = self._pacing.failed(delivery.id, now)
        log.warning(
            "delivery_postponed",
            deployment_id=delivery.deployment_id,
            key=delivery.key,
            why=fault.message,
        )
        untried = not isinstance(fault, Unknown) and delivery.attempted_at is None
        self._deliveries.postpone(delivery, until, fault.message, untried=untried)

    def _postpone(self, delivery: Delivery, until: datetime, why: str) -> None:
        untried = delivery.attempted_at is None
        self._deliveries.postpone(delivery, until, why, untried=untried)

    def _elsewhere(self, outgoing: Outgoing, gone: ChannelGone) -> bool:
        """The catalog's channel, then the requester's direct message, then patience."""
        delivery = outgoing.delivery
        place = self._next_place(outgoing)
        if place is None:
            self._later(delivery, gone)
            return False
        if delivery.key != CARD:
            return self._alone(outgoing, place)
        log.warning("card_moved", deployment_id=delivery.deployment_id, why=gone.message)
        self._deliveries.move(delivery, place)
        return False

    def _next_place(self, outgoing: Outgoing) -> str | None:
        here, deployment = outgoing.delivery.channel, outgoing.facts.deployment
        if here != deployment.channel and here.startswith(_DIRECT):
            return None  # the last resort is where it is already
        announce_in = self._route.announce_in()
        if announce_in and here != announce_in:
            return announce_in
        return None if deployment.requester_is_bot else deployment.requester.id

    def _anew(self, outgoing: Outgoing, gone: MessageGone) -> bool:
        """The message, or the thread it belongs to, was deleted: post in the same channel."""
        delivery = outgoing.delivery
        if delivery.key == CARD:
            log.warning("card_reposted", deployment_id=delivery.deployment_id, why=gone.message)
            self._notes[delivery.id] = REPOSTED
            self._deliveries.move(delivery, delivery.channel)
            return False
        if delivery.thread_ts is None:
            self._later(delivery, gone)
            return False
        return self._alone(outgoing, delivery.channel)

    def _alone(self, outgoing: Outgoing, channel: str) -> bool:
        """A note whose thread cannot be reached stands alone, and names its deployment."""
        delivery = replace(outgoing.delivery, channel=channel, thread_ts=None)
        note = thread_note(outgoing.facts.deployment, delivery.text, alone=True)
        return self._send(replace(outgoing, delivery=delivery, message=note))


def _method(delivery: Delivery) -> str:
    """Slack limits updates per workspace, and posts per channel."""
    return "chat.update" if delivery.ts is not None else f"chat.postMessage {delivery.channel}"
