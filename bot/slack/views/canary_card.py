"""The part of a card that shows its canary: how far it is, how both versions fare, what is next.

Times are Slack's date tokens and never "in 4 minutes": a card is only drawn anew when something
changes, and words would soon be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from slack_sdk.models.blocks import Block

from bot.analysis.history import summarise
from bot.analysis.plan import Plan
from bot.analysis.tick import COLUMNS, ERRORS, OVER, REQUESTS
from bot.analysis.verdict import Because, Outcome
from bot.analysis.wording import WORTH_SAYING, against_chance, percent
from bot.model.canary import Act, Canary, Crew, Judgement, Past, Phase, Wish
from bot.model.canary_plan import CanaryPlan, CloudWatch, in_percent, in_seconds
from bot.slack.charts.series import slowness
from bot.slack.views.message import context, fields, section
from bot.slack.views.text import advice, escaped, moment, person

_MARKS = {
    Outcome.PASS: "✅ passes",
    Outcome.HOLD: "⏳ hold",
    Outcome.ABORT: "🛑 abort",
    Outcome.INCONCLUSIVE: "🤔 inconclusive",
}
_DOES = {
    Phase.SHIFTING: "traffic is being shifted",
    Phase.BAKING: "being watched",
    Phase.ASKING: "waiting for a person",
    Phase.PROMOTING: "being rolled out everywhere",
    Phase.RETURNING: "traffic is being taken back",
    Phase.CLEANING: "without traffic, being cleaned up",
    Phase.OVER: "over",
}
_ASKED = {
    Act.PROMOTE: "promote it to the next step",
    Act.PROMOTE_FULLY: "promote it fully",
    Act.HOLD: "hold it at this step",
    Act.GO_ON: "let it go on",
    Act.ABORT: "roll it back",
}


def brief(one: Canary) -> str:
    """The canary in a clause, for a line among others."""
    if one.off:
        return f"canary {'being cleaned up' if _took_over(one) else _DOES[one.phase]}"
    held = ", held" if one.held_by and one.phase in _HOLDABLE else ""
    return f"canary at {in_percent(one.traffic)}, {_step(one)}, {_DOES[one.phase]}{held}"


def canary(one: Canary, promoters: str = "") -> Iterator[Block]:
    """All about it while it is under way, and its evidence afterwards."""
    yield section(_where(one))
    if one.judgement is not None or not one.over:
        yield fields([("New version", _new(one)), ("Stable version", _stable(one))])
    if one.judgement is not None:
        yield section(_verdict(one.judgement))
    if one.over:
        return
    if one.phase is Phase.ASKING:
        yield section(_question(one, promoters))
    if notes := list(_notes(one)):
        yield context(*notes)


#: What no step is passed in, however long it lasts.
_WAITED_OUT = frozenset({Because.SHARED_INCIDENT, Because.NO_TRAFFIC})
_HOLDABLE = frozenset({Phase.SHIFTING, Phase.BAKING, Phase.ASKING})


def _step(one: Canary) -> str:
    return f"step {one.step + 1} of {len(one.plan.steps)}"


def _where(one: Canary) -> str:
    at = min(one.step, max(0, len(one.shifts) - 1))
    reached = in_percent(one.plan.steps[at].share)
    if one.over and not one.shifts and one.ending is not None:
        return "🐤 *Canary* was taken back on the way to its first share."
    if one.over and one.ending is None:
        return f"🐤 *Canary* took over everything, from {_step(one)}, {reached} of the traffic."
    if one.over:
        came = f"step {at + 1} of {len(one.plan.steps)}, {reached} of the traffic"
        return f"🐤 *Canary* was taken back. It came to {came}."
    if _took_over(one):
        return "🐤 *Canary* took over everything. What it was tried with is being cleaned up."
    return f"🐤 *Canary* {_step(one)}: {_DOES[one.phase]}\n{_trail(one)}"


def _took_over(one: Canary) -> bool:
    """Whether its version runs everywhere: shares and tasks of the trial say nothing any more."""
    return one.phase is Phase.CLEANING and one.ending is None


def _trail(one: Canary) -> str:
    """``✓ 10%  →  *25%*  →  50%  →  all``."""
    shares = [in_percent(step.share) for step in one.plan.steps]
    here = len(shares) if one.phase is Phase.PROMOTING else one.step
    shown = [*shares, "all"]
    return "  →  ".join(
        f"✓ {share}" if at < here else f"*{share}*" if at == here else share
        for at, share in enumerate(shown)
    )


def _new(one: Canary) -> str:
    counts = one.judgement.canary if one.judgement else ()
    figures = _figures(one, counts, is_canary=True)
    return _version(one, one.traffic, one.canary, figures)


def _stable(one: Canary) -> str:
    counts = one.judgement.stable if one.judgement else ()
    figures = _figures(one, counts, is_canary=False)
    return _version(one, round(1 - one.traffic, 6), one.stable, figures)


def _version(one: Canary, share: float, crew: Crew, figures: Iterator[str]) -> str:
    if one.over or _took_over(one):
        return "\n".join(figures)
    traffic = f"{in_percent(share) if share else 'none'} of the traffic"
    return "\n".join([traffic, _tasks(crew), *figures])


def _tasks(crew: Crew) -> str:
    if not crew.running and not crew.desired:
        return "no tasks"
    return f"{crew.running}/{crew.desired} tasks, {crew.healthy} healthy"


def _figures(one: Canary, counts: Sequence[int], *, is_canary: bool) -> Iterator[str]:
    if len(counts) < COLUMNS:
        yield "nothing measured yet"
        return
    requests = counts[REQUESTS]
    if not requests:
        yield "no requests"
        return
    yield f"{percent(counts[ERRORS] / requests)} errors of {requests:,}"
    if one.past is not None and one.past.quantiles is not None:
        column, beyond = slowness(one.plan)
        if column != OVER:
            beyond = _beyond(one.past, is_canary=is_canary)
        yield f"{percent(counts[column] / requests)} slower than {beyond}"


def _beyond(past: Past, *, is_canary: bool) -> str:
    """Beyond what a version's requests are counted as slow: the canary may be a little slower."""
    plan = Plan(history=summarise(past.ticks, past.quantiles, past.pods))
    thresholds = plan.thresholds(canary=is_canary)
    if thresholds is None:
        return "usual"
    tolerated = f" ({percent(plan.slower)} tolerated)" if is_canary else ""
    return f"{in_seconds(round(thresholds.slow[1], 3))}{tolerated}"


def _verdict(judgement: Judgement) -> str:
    try:
        said = _MARKS[Outcome(judgement.outcome)]
    except ValueError:  # of another version, before an upgrade
        said = escaped(judgement.outcome, 40)
    odds = "" if "chance" in judgement.text else _odds(judgement.odds)
    return f"*Verdict* {said}\n{escaped(judgement.text, 1000)}{odds}"


def _odds(odds: float) -> str:
    if odds < WORTH_SAYING:
        return ""
    words = against_chance(odds)
    return f" That it is worse: {words}."


def _question(one: Canary, promoters: str) -> str:
    who = f" One of: {advice(promoters, 800)}." if promoters else ""
    why = f"\n{escaped(one.trouble, 600)}" if one.trouble else ""
    until = moment(one.since + one.plan.answer_within)
    otherwise = "" if one.held_by else f"\nWithout an answer it is rolled back {until}."
    return f"✋ *A person has to decide*: promote it, or roll it back.{who}{why}{otherwise}"


def _notes(one: Canary) -> Iterator[str]:
    yield from _under_way(one)
    if one.held_by is not None and one.phase in _HOLDABLE:
        yield (
            f"⏸️ Held at this step by {person(one.held_by)}. It is judged all the same, "
            "and taken back where it is worse."
        )
    if one.wish is not None:
        yield _wish(one.wish)
    if one.foreseen:
        yield f"🔭 {escaped(one.foreseen, 600)}"
    if following := _following(one):
        yield following
    if one.expires_at is not None:
        yield f"⌛ ECS waits for an answer until {moment(one.expires_at)}, and takes it back then."
    if one.measured_until is not None:
        yield f"Measured until {moment(one.measured_until)}."


def _under_way(one: Canary) -> Iterator[str]:
    if one.phase is Phase.RETURNING and one.ending is not None:
        yield f"↩️ {escaped(one.ending.explanation, 600)}"
    if one.trouble and one.phase is not Phase.ASKING:
        yield f"⚠️ {escaped(one.trouble, 600)}"
    if one.doing:
        yield f"⚙️ {escaped(one.doing, 300)}"


def _wish(wish: Wish) -> str:
    why = f": {escaped(wish.reason, 200)}" if wish.reason else "."
    return f"🙋 {person(wish.by)} asked to {_ASKED[wish.act]}, {moment(wish.at)}{why}"


def _known_after(plan: CanaryPlan) -> timedelta:
    """How long after its beginning a minute is known, and so the verdict on it."""
    if plan.prometheus is not None:
        return timedelta(minutes=1, seconds=30)
    return timedelta(minutes=1) + (plan.cloudwatch or CloudWatch()).settles_after


def _following(one: Canary) -> str:
    """What comes next and when at the earliest: it also takes traffic and a verdict."""
    if one.phase is Phase.CLEANING:
        ends = one.canary.running and not one.share
        return (
            ""
            if not ends
            else f"Its tasks end {moment(one.since + one.plan.clean_up_after)} at the earliest."
        )
    if one.phase is not Phase.BAKING or one.held_by is not None:
        return ""
    if one.judgement is not None and one.judgement.because in _WAITED_OUT:
        return ""
    bake = one.plan.steps[one.step].bake
    due: timedelta = (2 * bake if one.extended else bake) + _known_after(one.plan)
    later = one.plan.steps[one.step + 1 :]
    to = f"{in_percent(later[0].share)} of the traffic" if later else "all of the traffic"
    longer = ", as it bakes once more" if one.extended else ""
    return f"➡️ Next: {to}, {moment(one.since + due)} at the earliest{longer}."
