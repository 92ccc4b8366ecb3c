"""The one card of a deployment: everything that is known about it, drawn from its facts."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta

from slack_sdk.models.blocks import Block

from bot.model.canary import Canary, Phase
from bot.model.deployment import Ballot, Deployment, Progress, Status, Vote
from bot.model.reply import CardFacts
from bot.slack.views import buttons, canary_card
from bot.slack.views.message import (
    Message,
    actions,
    context,
    fields,
    header,
    message,
    quoted,
    section,
)
from bot.slack.views.states import mark, verb, words
from bot.slack.views.text import (
    change,
    escaped,
    group,
    image,
    lasting,
    moment,
    person,
    target,
)

BAR = 10


def card(facts: CardFacts, now: datetime, note: str = "") -> Message:
    """Draw the card as of ``now``; ``note`` says where the card came from if it was moved."""
    said = sentence(facts.deployment, facts.canary)
    return message(said, _blocks(facts, now, note))


def sentence(deployment: Deployment, canary: Canary | None = None) -> str:
    """The card in one sentence: the notification, and what a screen reader reads."""
    who, what = person(deployment.requester), image(deployment.image)
    under_way = canary if deployment.status is Status.RUNNING else None
    at = f" ({canary_card.brief(under_way)})" if under_way else ""
    return (
        f"{mark(deployment.status)} {escaped(deployment.id)}: {words(deployment.status)}{at}. "
        f"{who} asked to {verb(deployment)} {target(deployment.target)} to {what}."
    )


def gist(facts: CardFacts) -> Hashable:
    """What people act upon: two cards that differ in nothing of it differ in figures alone.

    It is the sentence with the state, the canary's phase, step and share; who voted; what a person
    asked of the canary, and whether something is in its way.
    """
    one = facts.canary
    canary = (one.wish, bool(one.trouble)) if one is not None else None
    return sentence(facts.deployment, one), facts.votes, canary


def _blocks(facts: CardFacts, now: datetime, note: str) -> Iterator[Block]:
    deployment = facts.deployment
    state = words(deployment.status)
    yield header(f"{mark(deployment.status)} {deployment.id}: {state}")
    yield fields(
        [
            ("Service", escaped(deployment.target.service, 60)),
            ("Environment", escaped(deployment.target.environment, 60)),
            ("Requested by", _requested_by(deployment)),
            ("Rollback" if verb(deployment) == "roll back" else "Change", _change(deployment)),
        ]
    )
    yield from quoted("Reason", deployment.reason)
    yield from _state(facts, now)
    yield from quoted("What happened", deployment.explanation)
    yield from _notes(facts, note)
    yield from actions(buttons.of_card(facts))


def _requested_by(deployment: Deployment) -> str:
    bot = " (a bot)" if deployment.requester_is_bot else ""
    return f"{person(deployment.requester)}{bot}, {moment(deployment.created_at)}"


def _change(deployment: Deployment) -> str:
    return change(deployment.previous, deployment.image)


def _state(facts: CardFacts, now: datetime) -> Iterator[Block]:
    deployment = facts.deployment
    if facts.votes or deployment.approvals_needed:
        yield section("\n".join(_votes(facts)))
    if deployment.status is Status.AWAITING_APPROVAL and deployment.expires_at:
        # No "in 3h 59m": nothing redraws a card that waits, and the words would soon be wrong.
        yield context(f"Expires {moment(deployment.expires_at)}.")
    if deployment.status is Status.QUEUED and facts.position is not None:
        turn = "next to start" if facts.position == 1 else f"number {facts.position} in the queue"
        yield section(f"*Queue*\nThis deployment is {turn} on {target(deployment.target)}.")
    if deployment.status is Status.RUNNING:
        yield from _running(facts, now)
    if facts.canary is not None:
        yield from canary_card.canary(facts.canary, facts.promoters)
    if deployment.settled:
        yield context(_ended(deployment))


def _votes(facts: CardFacts) -> Iterator[str]:
    deployment = facts.deployment
    yes = [vote for vote in facts.votes if vote.ballot is Ballot.APPROVE]
    yield f"*Approvals* {len(yes)} of {deployment.approvals_needed}"
    yield from map(_vote, facts.votes)
    missing = deployment.approvals_needed - len(yes)
    if deployment.status is Status.AWAITING_APPROVAL and missing > 0:
        yield f"Still missing: {missing}" + _from_group(facts)


def _vote(vote: Vote) -> str:
    said = "✅ approved" if vote.ballot is Ballot.APPROVE else "🛑 rejected"
    why = f": {escaped(vote.reason, 150)}" if vote.reason else ""
    return f"{said} by {person(vote.person)}, {moment(vote.at)}{why}"


def _from_group(facts: CardFacts) -> str:
    if facts.required_group is None:
        return ""
    return f", at least one of all approvals from {group(facts.required_group)}"


def _running(facts: CardFacts, now: datetime) -> Iterator[Block]:
    deployment, progress = facts.deployment, facts.deployment.progress
    is_canary = facts.canary is not None
    told = progress != Progress()
    if facts.canary is None or (facts.canary.phase is Phase.PROMOTING and told):
        yield section(f"*Tasks* {bar(progress)} {_tasks(progress)}")
    if deployment.started_at:
        elapsed = f"Running for {lasting(now - deployment.started_at)}"
        # How long a rollout usually takes says nothing of a canary.
        usual = f"; usually takes {lasting(facts.usual)}" if facts.usual and not is_canary else ""
        yield context(f"{elapsed}{usual}. Started {moment(deployment.started_at)}.")


def _tasks(progress: Progress) -> str:
    if progress == Progress():
        return "starting"
    parts = [f"{progress.running}/{progress.desired} running"]
    counted = (("pending", progress.pending), ("failed", progress.failed))
    parts += [f"{count} {name}" for name, count in counted if count]
    if progress.old:
        parts.append(f"{progress.old} of the old version")
    return ", ".join(parts)


def bar(progress: Progress) -> str:
    """``▓▓▓▓▓▓░░░░`` for six tasks of ten; empty until the desired count is known."""
    share = min(1.0, progress.running / progress.desired) if progress.desired > 0 else 0.0
    full = int(share * BAR)
    return "▓" * full + "░" * (BAR - full)


def _ended(deployment: Deployment) -> str:
    state = words(deployment.status)
    parts = [f"{state[:1].upper()}{state[1:]}{_how_long(deployment)}."]
    if deployment.ended_by:
        parts.append(f"Ended by {person(deployment.ended_by)}.")
    if deployment.reason_code:
        parts.append(f"Reason code {escaped(deployment.reason_code, 60)}.")
    if deployment.finished_at:
        parts.append(f"Ended {moment(deployment.finished_at)}.")
    return " ".join(parts)


def _how_long(deployment: Deployment) -> str:
    if deployment.started_at is None or deployment.finished_at is None:
        return ""
    span: timedelta = deployment.finished_at - deployment.started_at
    return f" after {lasting(span)}"


def _when(deployment: Deployment) -> str:
    """Of what moment a warning is true: on the card of what has ended, it would seem to be now."""
    if not deployment.settled:
        return ""
    return "When it began: " if deployment.started_at else "When it was asked for: "


def _notes(facts: CardFacts, note: str) -> Iterator[Block]:
    when = _when(facts.deployment)
    lines = [f"⚠️ {when}{escaped(warning, 300)}" for warning in facts.warnings]
    if facts.deployment.overridden_freeze:
        lines.append(f"🧊 {escaped(facts.deployment.overridden_freeze, 300)}")
    if facts.lock:
        until = f" until {moment(facts.lock.until)}" if facts.lock.until else ""
        why = escaped(facts.lock.reason, 200)
        lines.append(f"🔒 Locked by {person(facts.lock.owner)}{until}: {why}")
    if note:
        lines.append(f"📌 {note}")
    if lines:
        yield context(*lines)
