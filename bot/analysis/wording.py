"""A verdict in words that a person understands at 3 a.m."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, log10

from bot.analysis.plan import Plan
from bot.analysis.tick import ERRORS, OVER, REQUESTS, SLOW
from bot.analysis.verdict import Because, Figures
from bot.model.counts import Thresholds

#: Beyond a million to one nobody is surer.
MOST = 1_000_000
#: Nearly even odds say nothing.
WORTH_SAYING = 1.5


def told(because: Because, figures: Figures, plan: Plan) -> str:
    """One or two sentences."""
    errors = compared(figures)
    if figures.incident and because is not Because.SHARED_INCIDENT:
        errors = f"{errors}, those of an incident among them"
    return _SENTENCES[because](errors, figures, plan)


def compared(figures: Figures) -> str:
    """The errors of both: "Canary 2.1 % errors of 4,812, stable 0.3 % of 43,201"."""
    (n_c, n_b), (x_c, x_b) = _both(figures, REQUESTS), _both(figures, ERRORS)
    ours = f"Canary {percent(x_c / max(n_c, 1))} errors of {n_c:,}"
    if figures.alone:
        return f"{ours}, no stable version beside it to compare with"
    return f"{ours}, stable {percent(x_b / max(n_b, 1))} of {n_b:,}"


def slower(figures: Figures, plan: Plan) -> str:
    """How many requests of both were slow, at the threshold where that is plainest."""
    n_c, n_b = _both(figures, REQUESTS)
    columns = range(SLOW.start, SLOW.stop)
    shares = [(figures.canary[c] / max(n_c, 1), figures.stable[c] / max(n_b, 1)) for c in columns]
    # Square roots make differences of small and of large shares comparable (Freeman, Tukey 1950).
    place = max(range(len(shares)), key=lambda at: shares[at][0] ** 0.5 - shares[at][1] ** 0.5)
    canary, stable = shares[place]
    times = _at(plan.thresholds(canary=True), place), _at(plan.thresholds(canary=False), place)
    return (
        f"Of the canary's requests {percent(canary)} of {n_c:,} took longer than {times[0]}, "
        f"of the stable's {percent(stable)} of {n_b:,} longer than {times[1]}"
    )


def against_chance(odds: float) -> str:
    """The odds with as many digits as are worth reading: "... chance are 4,000 to 1"."""
    if odds >= MOST:
        return "the odds against chance are more than a million to 1"
    if odds < WORTH_SAYING:
        return "that may well be chance"
    step = 10 ** max(floor(log10(odds)) - 1, 0)
    return f"the odds against chance are {round(odds / step) * step:,} to 1"


def percent(share: float) -> str:
    """A share of requests: "0.3 %", "12 %", and "0.04 %" where it is small."""
    if share == 0:
        return "0 %"
    digits = min(max(1 - floor(log10(100 * share)), 0), 4) if share < 0.1 else 0  # noqa: PLR2004
    said = f"{100 * share:.{digits}f}"
    return f"{said.rstrip('0').rstrip('.') if '.' in said else said} %"


def points(increase: float) -> str:
    """An increase of a share, in percentage points."""
    many = f"{100 * increase:.2g}"
    return f"{many} point" if many == "1" else f"{many} points"


def _both(figures: Figures, column: int) -> tuple[int, int]:
    return figures.canary[column], figures.stable[column]


def _at(thresholds: Thresholds | None, place: int) -> str:
    if thresholds is None:
        return "before"
    seconds = (*thresholds.slow, thresholds.gross)[place]
    return f"{1000 * seconds:,.0f} ms"


def _over(figures: Figures, plan: Plan) -> str:
    (n_c, n_b), (x_c, x_b) = _both(figures, REQUESTS), _both(figures, OVER)
    limit = f"{1000 * (plan.limits.p95 or 0):,.0f} ms"
    theirs = f", {percent(x_b / max(n_b, 1))} of the stable's {n_b:,}" if n_b else ""
    return (
        f"{percent(x_c / max(n_c, 1))} of the canary's {n_c:,} requests took longer than "
        f"{limit}{theirs}; 5 % may"
    )


def _errors(errors: str, figures: Figures, _plan: Plan) -> str:
    return f"{errors}; {against_chance(figures.error_odds)}."


def _history(errors: str, figures: Figures, plan: Plan) -> str:
    usual = percent(plan.history.rate)
    if figures.alone:
        known = f"in the hour before it were {usual}"
        return f"{errors}; {known}, and {against_chance(figures.history_odds)}."
    return f"{errors}, and {usual} in the hour before; {against_chance(figures.history_odds)}."


def _slowness(_errors: str, figures: Figures, plan: Plan) -> str:
    return f"{slower(figures, plan)}; {against_chance(figures.slow_odds)}."


def _error_limit(errors: str, figures: Figures, plan: Plan) -> str:
    limit = percent(plan.limits.error_rate)
    return f"{errors}. The canary is beyond the limit of {limit}{_and_worse(figures)}."


def _time_limit(_errors: str, figures: Figures, plan: Plan) -> str:
    return f"{_over(figures, plan)}. The canary is beyond the limit{_and_worse(figures)}."


def _and_worse(figures: Figures) -> str:
    if figures.alone:
        return ""
    return ", and worse than the stable"


def _incident(errors: str, figures: Figures, _plan: Plan) -> str:
    if figures.alone:
        return f"It is beyond a limit, and nobody can tell whose fault that is: {_lowered(errors)}."
    return f"Both versions suffer, and the canary is not the worse one: {_lowered(errors)}."


def _no_traffic(errors: str, figures: Figures, _plan: Plan) -> str:
    if figures.ticks == 0:
        return "The canary has not had any traffic yet, and so says nothing."
    return f"The canary has no traffic now, which says nothing. Before: {_lowered(errors)}."


def _baking(errors: str, figures: Figures, _plan: Plan) -> str:
    odds = figures.odds
    if odds < WORTH_SAYING:
        return f"{errors}; nothing speaks against it so far."
    return f"{errors}; {against_chance(odds)}, which is not enough to abort."


def _suspicion(errors: str, figures: Figures, _plan: Plan) -> str:
    odds = figures.odds
    return f"{errors}; {against_chance(odds)}: too few to abort, too many to promote."


def _too_few(errors: str, figures: Figures, plan: Plan) -> str:
    needed = plan.steps[figures.step].requests
    return f"{errors}. The plan asks for {needed:,} requests of the canary in this step."


def _passed(errors: str, figures: Figures, plan: Plan) -> str:
    more = points(plan.steps[figures.step].increase)
    beside = "Beside it an" if figures.incident else "An"
    return f"{errors}. {beside} increase by more than {more} is excluded."


def _not_excluded(errors: str, figures: Figures, plan: Plan) -> str:
    more = points(plan.steps[figures.step].increase)
    unknown = f"An increase by more than {more} cannot be excluded yet"
    return f"{errors}. {unknown}: with more time or a larger share it may be."


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


_SENTENCES: dict[Because, Callable[[str, Figures, Plan], str]] = {
    Because.INCREASE_EXCLUDED: _passed,
    Because.BAKING: _baking,
    Because.NO_TRAFFIC: _no_traffic,
    Because.SHARED_INCIDENT: _incident,
    Because.ERRORS: _errors,
    Because.ERRORS_AGAINST_HISTORY: _history,
    Because.SLOWNESS: _slowness,
    Because.ERROR_LIMIT: _error_limit,
    Because.TIME_LIMIT: _time_limit,
    Because.NOT_EXCLUDED: _not_excluded,
    Because.SUSPICION: _suspicion,
    Because.TOO_FEW_REQUESTS: _too_few,
}
