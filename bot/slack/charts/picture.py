"""From what is stored of a canary to the picture that Slack is given."""

from __future__ import annotations

from bot.analysis.verdict import Because, Outcome
from bot.model.reply import ChartFacts
from bot.slack.charts.series import described, plotted
from bot.slack.messenger import Picture

#: What a canary is held by. Any other hold is that its step goes on, which is nothing to stamp: the
#: chart of a passed step would be marked by the one that only begins.
HELD_BY = frozenset({Because.SHARED_INCIDENT.value, Because.NO_TRAFFIC.value})


def chart(facts: ChartFacts | None) -> Picture | None:
    """A canary's chart; ``None`` where there is no canary, or nothing was measured yet."""
    if facts is None or not facts.ticks:
        return None
    # Pillow is loaded with the first chart: the bot starts without it.
    from bot.slack.charts.drawing import drawn  # noqa: PLC0415

    one = facts.deployment
    plot = plotted(facts.ticks, facts.canary.plan, one.id, _outcome(facts))
    alt = f"{one.id}. {described(plot, facts.ticks)}"
    return Picture(f"{one.id}.png", alt, drawn(plot))


def _outcome(facts: ChartFacts) -> Outcome | None:
    """What the picture is stamped with; ``None`` where there is nothing to say yet."""
    judgement = facts.canary.judgement
    if judgement is None or judgement.outcome not in set(Outcome):
        return None
    if judgement.outcome == Outcome.HOLD and judgement.because not in HELD_BY:
        return None
    return Outcome(judgement.outcome)
