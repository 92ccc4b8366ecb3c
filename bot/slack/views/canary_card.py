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
from bot.analysis.verdict import Outcome
from bot.analysis.wording import WORTH_SAYING, against_chance, percent
from bot.model.canary import Act, Canary, Crew, Judgement, Past, Phase, Wish
from bot.model.canary_plan import in_percent, in_seconds
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
        return f"canary {_does(one)}"
    held = ", held" if one.held_by and one.phase in _HOLDABLE else ""
    return f"canary at {in_percent(one.share)}, {_step(one)}, {_DOES[one.phase]}{held}"


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
    return f"🐤 *Canary* {_step(one)}: {_does(one)}\n{_trail(one)}"


def _does(one: Canary) -> str:
    if one.phase is Phase.CLEANING and one.share:
        return "with all the traffic, being cleaned up"  # the new version serves from where it is
    return _DOES[one.phase]


def _trail(one: Canary) -> str:
    """``✓ 10%  →  *25%*  →  50%  →  all``."""
    shares = [in_percent(step.share) for step in one.plan.steps]
    everywhere = one.phase is Phase.PROMOTING or (one.phase is Phase.CLEANING and one.share)
    here = len(shares) if everywhere else one.step
    shown = [*shares, "all"]
    return "  →  ".join(
        f"✓ {share}" if at < here else f"*{share}*" if at == here else share
        for at, share in enumerate(shown)
    )


def _new(one: Canary) -> str:
    share = "" if one.over else f"{in_percent(one.share) if one.share else 'none'} of the traffic"
    counts = one.judgement.canary if one.judgement else ()
    return _version(one, share, one.canary, _figures(one, counts, is_canary=True))


def _stable(one: Canary) -> str:
    rest = round(1 - one.share, 6)
    share = "" if one.over else f"{in_percent(rest) if rest else 'none'} of the traffic"
    counts = one.judgement.stable if one.judgement else ()
    return _version(one, share, one.stable, _figures(one, counts, is_canary=False))


def _version(one: Canary, share: str, crew: Crew, figures: Iterator[str]) -> str:
    tasks = "" if one.over else _tasks(crew)
    return "\n".join(filter(None, [share, tasks, *figures]))


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
            beyond = _tolerated(one.past, is_canary=is_canary)
        yield f"{percent(counts[column] / requests)} slower than {beyond}"


def _tolerated(past: Past, *, is_canary: bool) -> str:
    """Beyond what a version's requests are counted as slow: the canary may be a little slower."""
    history = summarise(past.ticks, past.quantiles, past.pods)
    thresholds = Plan(history=history).thresholds(canary=is_canary)
    return in_seconds(round(thresholds.slow[1], 3)) if thresholds else "usual"


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
    bake = one.plan.steps[one.step].bake
    due: timedelta = 2 * bake if one.extended else bake
    later = one.plan.steps[one.step + 1 :]
    to = f"{in_percent(later[0].share)} of the traffic" if later else "all of the traffic"
    longer = ", as it bakes once more" if one.extended else ""
    return f"➡️ Next: {to}, {moment(one.since + due)} at the earliest{longer}."
