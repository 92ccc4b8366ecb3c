"""Where a canary goes next: a pure function of what is known of it at one moment.

Each phase has one aim (``aim``), which is pursued until it is read back. Only then, or on the
judge's, a person's or the provider's word, does the phase change (``course``). A canary is taken
back from wherever it is; what could not be done is never told as done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.analysis.verdict import Because, Outcome
from bot.model.canary import Act, Aim, Canary, Ended, Goal, Phase, Wish
from bot.model.canary_plan import in_percent
from bot.model.deployment import SYSTEM, Status
from bot.model.moments import format_duration
from bot.workflows.canary.bench import Judged, in_ticks
from bot.workflows.canary.turn import ON_TRIAL, Entry, Note, Seen, Turn, is_down
from bot.workflows.ending import STATUS_OF

#: Nothing to go by, and nothing that speaks against the canary either.
IDLE = frozenset({Because.NO_TRAFFIC, Because.SHARED_INCIDENT})
#: How far a moment of calm may lie behind before it is written down anew.
CALM = timedelta(seconds=30)
#: For so long a canary with traffic may be without a healthy task: one look may be of the moment
#: in which a task is replaced.
DOWN = timedelta(seconds=10)

_GOALS = {
    Phase.SHIFTING: Goal.SHARE,
    Phase.BAKING: Goal.SHARE,
    Phase.ASKING: Goal.SHARE,
    Phase.PROMOTING: Goal.EVERYTHING,
    Phase.RETURNING: Goal.NOTHING,
    Phase.CLEANING: Goal.GONE,
}


def aim(canary: Canary) -> Aim:
    """What its phase is to bring about. One that is over has nothing left to aim at."""
    step = canary.plan.steps[canary.step]
    goal = _GOALS[canary.phase]
    share = step.share if goal is Goal.SHARE else 0.0
    return Aim(goal, canary.since, canary.step, share, step.tasks, canary.share)


def course(seen: Seen) -> Turn:
    """The next turn; one without changes where everything stays as it is."""
    canary = seen.canary
    if canary.phase in ON_TRIAL and (ended := _taken_back(seen)) is not None:
        return _back(seen, ended)
    return _TURNS[canary.phase](seen)


# --- taken back ----------------------------------------------------------------------------------


def _taken_back(seen: Seen) -> Ended | None:
    """Why it has to go back now, whatever it was doing: a word, the evidence, or the provider."""
    if seen.settled:
        return Ended(Status.CANCELLED, "CANCELLED", "Its deployment has ended.")
    return _by_word(seen) or _by_evidence(seen) or _by_itself(seen)


def _by_word(seen: Seen) -> Ended | None:
    wish = seen.canary.wish
    if wish is None or wish.act is not Act.ABORT:
        return None
    if wish.by == SYSTEM:
        return Ended(Status.SUPERSEDED, "SUPERSEDED", wish.reason)
    why = f": {wish.reason}" if wish.reason else "."
    said = f"Taken back by {wish.by.name}{why}"
    return Ended(Status.ROLLED_BACK, "CANARY_TAKEN_BACK", said, wish.by)


def _by_evidence(seen: Seen) -> Ended | None:
    judged, since = seen.judged, seen.canary.down_since
    if judged is not None and judged.outcome is Outcome.ABORT:
        return Ended(Status.ROLLED_BACK, "CANARY_WORSE", judged.verdict.text)
    if since is None or not is_down(seen.stand) or seen.now - since < DOWN:
        return None
    lasting = format_duration(seen.now - since)
    said = f"For {lasting} none of its tasks was healthy, while it got traffic."
    return Ended(Status.ROLLED_BACK, "CANARY_DOWN", said)


def _by_itself(seen: Seen) -> Ended | None:
    stand = seen.stand
    if not seen.listed:
        return Ended(Status.FAILED, "MISCONFIGURED", "Its target is not in the catalog any more.")
    if stand.end is None:
        return None
    said = stand.explanation or "It ended without Quarterdeck."
    return Ended(STATUS_OF[stand.end], stand.reason_code, said)


def _back(seen: Seen, ended: Ended) -> Turn:
    """Toward no traffic at all; the deployment ends when that was read back."""
    changes = _entering(seen, Phase.RETURNING) | {"ending": ended}
    said = f"Going back: {ended.explanation}"
    entries = (Entry("canary.return", "intent", ended.explanation, ended.reason_code),)
    return Turn(changes, entries, (Note("return", said),))


def _returning(seen: Seen) -> Turn:
    if seen.stand.reached:
        ended = seen.canary.ending
        entry = Entry("canary.returned", "done", "No traffic reaches the canary any more.")
        told = seen.stand.explanation or "All traffic is on the stable version."
        note = Note("returned", told, chart=True)
        changes = _entering(seen, Phase.CLEANING) | {"share": 0.0}
        return Turn(changes, (entry,), (note,), ended)
    way_out = "Where that is the stable version's fault, /rollback mends it and waits for nothing."
    blocked = seen.stand.blocked or _overdue(seen, seen.timeout)
    return _stuck(seen, blocked, "The canary cannot be taken back yet", way_out)


def _cleaning(seen: Seen) -> Turn:
    if seen.stand.reached:
        entry = Entry("canary.gone", "done", "Nothing of the canary is left.")
        return Turn(_entering(seen, Phase.OVER), (entry,))
    blocked = seen.stand.blocked or _overdue(seen, seen.timeout + seen.canary.plan.clean_up_after)
    return _stuck(seen, blocked, "The canary cannot be removed yet")


def _overdue(seen: Seen, limit: timedelta) -> str:
    """That the way back takes longer than it should, a sentence; nothing where it does not. It has
    no end but its aim: so people have to hear of it, and a rollback waits for it no longer."""
    if seen.here <= limit:
        return ""
    doing = f" {seen.stand.doing}".rstrip() or " nothing tells why"
    return f"After {format_duration(limit)} it still goes on:{doing}."


# --- on trial ------------------------------------------------------------------------------------


def _shifting(seen: Seen) -> Turn:
    canary, stand = seen.canary, seen.stand
    step = canary.plan.steps[canary.step]
    if canary.wish is not None and canary.wish.act is not Act.PROMOTE:
        return _heed(seen)
    if stand.reached:
        share = in_percent(step.share)
        text = f"Step {canary.step + 1} of {len(canary.plan.steps)}: {share} of the traffic."
        shifts = (*canary.shifts[: canary.step], seen.now)
        # A word to bring it on is heeded as soon as it is there.
        kept = {"held_by": canary.held_by, "wish": canary.wish}
        reached = {"share": step.share, "shifts": shifts}
        changes = _entering(seen, Phase.BAKING) | reached | kept
        entry = Entry("canary.shifted", "done", text)
        note = Note(f"step:{canary.step}", text, chart=canary.step > 0)
        return Turn(changes, (entry,), (note,))
    if stand.blocked:
        return _ask(seen, stand.blocked)
    if canary.past is None and seen.blind and seen.here > canary.plan.patience:
        said = f"Nothing can be measured, so it did not begin. {seen.blind}"
        return _back(seen, Ended(Status.FAILED, "CANARY_BLIND", said))
    if seen.here > seen.timeout:
        lasting = format_duration(seen.timeout)
        said = f"Not at {in_percent(step.share)} after {lasting}. {stand.explanation}".strip()
        return _back(seen, Ended(Status.ROLLED_BACK, "TIMED_OUT", said))
    return Turn()


def _watching(seen: Seen) -> Turn:
    canary, judged = seen.canary, seen.judged
    if canary.wish is not None:
        return _heed(seen)
    passed = judged is not None and judged.step == canary.step and judged.outcome is Outcome.PASS
    if passed and not _held(seen):
        return _onward(seen)
    question = _question(seen)
    if canary.phase is Phase.BAKING:
        return _ask(seen, question) if question else _on(seen)
    if not question:
        # Asked on the way to its share, it is still to be brought there.
        phase = Phase.BAKING if _is_there(canary) else Phase.SHIFTING
        return Turn(_entering(seen, phase) | {"held_by": canary.held_by})
    if seen.here > canary.plan.answer_within and not canary.held_by:
        lasting = format_duration(canary.plan.answer_within)
        said = f"Nobody answered within {lasting}. {canary.trouble}".strip()
        return _back(seen, Ended(Status.ROLLED_BACK, "CANARY_UNANSWERED", said))
    return Turn({"trouble": question} if question != canary.trouble else {})


def _held(seen: Seen) -> bool:
    """Whether anything keeps it from going on by itself, whatever the judge says."""
    stopped = seen.stand.blocked or seen.blind or seen.paused
    return bool(stopped) or seen.canary.held_by is not None


def _is_there(canary: Canary) -> bool:
    """Whether the share of its step was read back."""
    return len(canary.shifts) > canary.step


def _heed(seen: Seen) -> Turn:
    """Do as a person said; the row of who said it is written already."""
    canary = seen.canary
    if canary.wish is None:
        return Turn()
    # Whoever answers has seen how the weights stand: they are taken from there.
    if seen.stand.share is not None and canary.phase is Phase.ASKING:
        canary = replace(canary, share=seen.stand.share)
        seen = replace(seen, canary=canary)
    match canary.wish:
        case wish if wish is not None and wish.act in {Act.HOLD, Act.GO_ON}:
            holds = wish.by if wish.act is Act.HOLD else None
            why = f": {wish.reason}" if wish.reason else "."
            said = f"Held by {wish.by.name}{why}" if holds else f"{wish.by.name} lets it go on{why}"
            changes = {"wish": None, "held_by": holds, "share": seen.canary.share}
            return Turn(changes, notes=(Note(f"held:{wish.at.isoformat()}", said),))
        case wish if wish is not None and wish.act is Act.PROMOTE_FULLY:
            return _promote(seen, _promoted("Promoted fully", wish))
        case wish:
            return _next(seen, _promoted("Promoted", wish) if wish else "")


def _promoted(how: str, wish: Wish) -> str:
    why = f" ({wish.reason})" if wish.reason else ""
    return f"{how} by {wish.by.name}{why}."


def _onward(seen: Seen) -> Turn:
    """The judge has nothing against it any more."""
    text = seen.judged.verdict.text if seen.judged is not None else ""
    code = seen.judged.verdict.because.value if seen.judged is not None else ""
    turn = _next(seen, text)
    return replace(turn, entries=(Entry("canary.verdict", "done", text, code), *turn.entries))


def _next(seen: Seen, why: str) -> Turn:
    canary = seen.canary
    # Asked on the way to its share, it is brought there before anything else.
    number = canary.step + 1 if _is_there(canary) else canary.step
    if number == len(canary.plan.steps):
        return _promote(seen, why)
    step = canary.plan.steps[number]
    changes = _entering(seen, Phase.SHIFTING) | {"step": number, "share": canary.share}
    said = f"To {in_percent(step.share)} of the traffic."
    entry = Entry("canary.shift", "intent", said)
    return Turn(changes, (entry,), (Note(f"toward:{number}", f"{why} {said}".strip()),))


def _promote(seen: Seen, why: str) -> Turn:
    changes = _entering(seen, Phase.PROMOTING) | {"share": seen.canary.share}
    said = "The new version takes over everything."
    entry = Entry("canary.promote", "intent", said)
    return Turn(changes, (entry,), (Note("promote", f"{why} {said}".strip(), chart=True),))


def _question(seen: Seen) -> str:
    """What people have to decide, because neither the judge nor the provider can; or nothing."""
    canary, judged = seen.canary, seen.judged
    if seen.stand.blocked:
        return seen.stand.blocked
    lasting = seen.now - (canary.calm_since or canary.since)
    patience = format_duration(canary.plan.patience)
    if seen.blind:
        too_long = lasting > canary.plan.patience
        return f"It could not be watched for {patience}. {seen.blind}" if too_long else ""
    if judged is None or judged.step != canary.step:
        return ""
    if judged.verdict.because in IDLE:
        too_long = lasting > canary.plan.patience
        return f"For {patience} there was no verdict. {judged.verdict.text}" if too_long else ""
    if judged.outcome is not Outcome.INCONCLUSIVE or _bakes_on(canary, judged):
        return ""
    return judged.verdict.text


def _bakes_on(canary: Canary, judged: Judged) -> bool:
    """Whether an inconclusive step bakes once more, as long as it has baked already."""
    bake = in_ticks(canary.plan.steps[canary.step].bake, judged.tick_seconds)
    return canary.plan.inconclusive == "extend" and judged.baked < 2 * bake


def _extends(canary: Canary, judged: Judged) -> bool:
    """Whether it begins to bake once more now."""
    unclear = judged.step == canary.step and judged.outcome is Outcome.INCONCLUSIVE
    return unclear and not canary.extended and _bakes_on(canary, judged)


def _ask(seen: Seen, question: str) -> Turn:
    """Put it to people, or go back where the plan would rather not ask."""
    if seen.canary.held_by and not seen.stand.blocked:
        return Turn()
    if seen.canary.plan.inconclusive == "roll_back" and not seen.stand.blocked:
        return _back(seen, Ended(Status.ROLLED_BACK, "CANARY_INCONCLUSIVE", question))
    code = "CANARY_BLOCKED" if seen.stand.blocked else "CANARY_INCONCLUSIVE"
    within = format_duration(seen.canary.plan.answer_within)
    said = f"{question} Somebody has to promote, hold or abort it within {within}."
    # Still as long without calm as before: else the question would answer itself.
    calm = seen.canary.calm_since or seen.canary.since
    kept = {"calm_since": calm, "held_by": seen.canary.held_by}
    changes = _entering(seen, Phase.ASKING) | {"trouble": question} | kept
    note = Note(f"ask:{seen.now.isoformat()}", said, broadcast=True, chart=True)
    return Turn(changes, (Entry("canary.asked", "done", question, code),), (note,))


def _on(seen: Seen) -> Turn:
    """It bakes: note what changes in between, and tell people of an incident while it lasts."""
    canary, judged = seen.canary, seen.judged
    changes: dict[str, Any] = {}
    notes: tuple[Note, ...] = ()
    calm = not seen.blind and judged is not None and judged.verdict.because not in IDLE
    if calm and seen.now - (canary.calm_since or canary.since) > CALM:
        changes["calm_since"] = seen.now
    if judged is None:
        return Turn(changes)
    before = canary.judgement.because if canary.judgement else ""
    if judged.verdict.because is Because.SHARED_INCIDENT and before != Because.SHARED_INCIDENT:
        text = f"{judged.verdict.text} Neither promoted nor taken back while it lasts."
        notes = (Note(f"incident:{seen.now.isoformat()}", text, broadcast=True, chart=True),)
    elif _extends(canary, judged):
        changes["extended"] = True
        notes = (Note(f"extended:{canary.step}", f"{judged.verdict.text} It bakes once more."),)
    return Turn(changes, notes=notes)


# --- taking over ---------------------------------------------------------------------------------


def _promoting(seen: Seen) -> Turn:
    stand = seen.stand
    if seen.settled:
        return _back(seen, Ended(Status.CANCELLED, "CANCELLED", "Its deployment has ended."))
    if stand.reached:
        entry = Entry("canary.promoted", "done", "The new version is the only one that serves.")
        changes = _entering(seen, Phase.CLEANING) | {"share": stand.share or 0.0}
        return Turn(changes, (entry,), ended=Ended(Status.SUCCEEDED, "", ""))
    if stand.end is not None:
        said = stand.explanation or "The rollout of the whole service ended without success."
        return _back(seen, Ended(STATUS_OF[stand.end], stand.reason_code, said))
    if seen.here > seen.timeout:
        lasting = format_duration(seen.timeout)
        said = f"The whole service was not on it after {lasting}. {stand.explanation}".strip()
        return _back(seen, Ended(Status.TIMED_OUT, "TIMED_OUT", said))
    if seen.canary.wish is not None:
        said = "It takes over already: only /rollback takes it back from here."
        return Turn({"wish": None}, notes=(Note(f"late:{seen.now.isoformat()}", said),))
    return _stuck(seen, stand.blocked, "The new version cannot take over yet")


def _stuck(seen: Seen, blocked: str, what: str, way_out: str = "") -> Turn:
    """Tell people once in each phase what is in the way; it is tried on all the same. How it is
    put may change from look to look, which the card shows."""
    canary = seen.canary
    if blocked == canary.trouble:
        return Turn()
    if not blocked or canary.trouble:
        return Turn({"trouble": blocked})
    said = f"{what}: {blocked} {way_out}".strip()
    note = Note(f"stuck:{canary.phase.value}:{canary.since.isoformat()}", said, broadcast=True)
    return Turn({"trouble": blocked}, (Entry("canary.stuck", "failed", blocked),), (note,))


def _entering(seen: Seen, phase: Phase) -> dict[str, Any]:
    """What changes with every phase: its clock, and whatever was said about the last one."""
    return {
        "phase": phase,
        "since": seen.now,
        "calm_since": seen.now,
        "wish": None,
        "held_by": None,
        "trouble": "",
        "extended": False,
        "doing": "",
        "down_since": seen.canary.down_since if phase in ON_TRIAL else None,
    }


def _over(seen: Seen) -> Turn:
    del seen
    return Turn()


_TURNS: dict[Phase, Callable[[Seen], Turn]] = {
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _watching,
    Phase.ASKING: _watching,
    Phase.PROMOTING: _promoting,
    Phase.RETURNING: _returning,
    Phase.CLEANING: _cleaning,
    Phase.OVER: _over,
}
