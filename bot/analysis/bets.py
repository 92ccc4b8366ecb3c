"""Bets against "the canary is no worse": what one tick multiplies the wealth of each bettor by.

Every function gives log factors (natural) of shape (..., G), one per alternative of a grid. Where
the canary is no worse than tolerated, a factor is 1 or less on average, whatever happened before.
So their product is an e-process: by Ville's inequality (1939) it ever reaches 1/alpha with
probability alpha at most, at however many moments one looks (Ramdas, Gruenwald, Vovk, Shafer
2023). Counts of no requests give factors of 1: no traffic is no information.
"""

from __future__ import annotations

import numpy as np

from bot.analysis.tick import BEYOND, Floats

#: Requests and events of one arm, of the same shape.
Pair = tuple[Floats, Floats]

#: Alternatives for errors: so many times what is tolerated.
ERROR_GRID: Floats = np.geomspace(1.25, 100.0, 16)
#: Alternatives for slowness, (4, G): so many times as many requests beyond the threshold.
SLOW_GRID: Floats = np.stack([np.geomspace(1.15, 0.9 / beyond, 10) for beyond in BEYOND])
#: The largest share that an alternative claims: a sure thing could lose everything at once.
SURE = 0.98
#: Half of the wealth is bet on a regression that was there from the start.
AT_ONCE = 0.5


def two_samples(canary: Pair, stable: Pair, tolerated: Floats, grid: Floats) -> Floats:
    """Rare events of both arms: arrays of a shape (...), ``grid`` of (..., G), -> (..., G).

    Given how many events there were, each is the canary's with chance theta n_c / (theta n_c +
    n_b), where theta is the ratio of the rates: the likelihood ratio of theta against
    ``tolerated``, where theta is ``grid`` times that. What both arms suffer cancels (Lindon, Malek
    2022).
    """
    (n_c, x_c), (n_b, x_b) = _spread(canary), _spread(stable)
    null = tolerated[..., None]
    theta = null * grid
    both = (n_c > 0) & (n_b > 0)
    grown = np.where(both, theta * n_c + n_b, 1.0) / np.where(both, null * n_c + n_b, 1.0)
    drawn: Floats = x_c * np.log(theta / null) - (x_c + x_b) * np.log(grown)
    return np.where(both, drawn, 0.0)


def one_sample(requests: Floats, events: Floats, tolerated: Floats) -> Floats:
    """Events among requests against a fixed share: all (...), -> (..., G).

    The binomial likelihood ratio of a larger share against ``tolerated``.
    """
    null = np.minimum(tolerated, SURE)[..., None]
    share = np.clip(null * ERROR_GRID, null, SURE)
    return _likelier(requests[..., None], events[..., None], share, null)


def two_tables(
    canary: Pair, stable: Pair, believed: Floats, grid: Floats, tolerated: Floats
) -> Floats:
    """Events of both arms that are not rare: arrays of a shape (...), -> (..., G).

    ``believed`` is the stable version's share as known before this tick; a wrong belief costs
    power, never certainty. The null is that the canary's share is at most ``tolerated`` times the
    stable version's.

    The e-variable of Turner, Ly, Gruenwald (2024, generic e-variables for k-sample tests) for two
    Bernoulli samples: the likelihood of the shares (theta p, p) over that of (rho m, m), which of
    the tolerated ones is nearest to it (the reverse information projection). With c the slopes of
    an arm's factor, the projection has n_c rho c_c + n_b c_b = 0; if the true shares are
    (rho (m + d), m + d), the expectation is the product over the arms of 1 + c times how far each
    is away, so it is at most exp(0). It is sharper than the ratio given the sum, which takes a
    share of a quarter for a rare one.
    """
    (n_c, x_c), (n_b, x_b) = _spread(canary), _spread(stable)
    rho, base = tolerated[..., None], believed[..., None]
    worse = np.minimum(base * grid, SURE)
    bold = (worse > rho * base) & (n_c > 0) & (n_b > 0)
    # Where nothing is bet, any numbers will do that have logarithms.
    worse, rho = np.where(bold, worse, base), np.where(bold, rho, 1.0)
    nearest = _projected((n_c, worse), (n_b, base), rho)
    drawn: Floats = _likelier(n_c, x_c, worse, rho * nearest) + _likelier(n_b, x_b, base, nearest)
    return np.where(bold, drawn, 0.0)


def _projected(canary: Pair, stable: Pair, rho: Floats) -> Floats:
    """The m for which shares (rho m, m) are likeliest where those of the pairs are true.

    The smaller root of rho (n_c + n_b) m^2 - (n_c (a + rho) + n_b (1 + rho b)) m + n_c a + n_b b.
    """
    (n_c, a), (n_b, b) = canary, stable
    none = n_c + n_b == 0
    square = np.where(none, 1.0, rho * (n_c + n_b))
    plain = np.where(none, 2.0, n_c * (a + rho) + n_b * (1 + rho * b))
    rest = np.where(none, b, n_c * a + n_b * b)
    root = np.sqrt(np.maximum(plain**2 - 4 * square * rest, 0.0))
    found: Floats = 2 * rest / (plain + root)
    return found


def _likelier(requests: Floats, events: Floats, share: Floats, than: Floats) -> Floats:
    fine = np.log1p(-share) - np.log1p(-than)
    found: Floats = events * np.log(share / than) + (requests - events) * fine
    return found


def _spread(arm: Pair) -> Pair:
    return arm[0][..., None], arm[1][..., None]


def staked(ticks: Floats, horizon: Floats) -> tuple[Floats, Floats]:
    """What joins the bet in the tick after ``ticks`` and what is left then, as shares: (B,) each.

    Half begins at once, the rest over ``horizon`` ticks in equal parts, so that a regression that
    begins late meets fresh wealth: a mixture over change points.
    """
    later = (1 - AT_ONCE) / np.maximum(horizon - 1, 1)
    joins = np.where(ticks < 1, AT_ONCE, np.where(ticks < horizon, later, 0.0))
    left = np.clip(1 - AT_ONCE - later * np.minimum(ticks, horizon - 1), 0.0, None)
    return joins, left


def mixed(wealth: Floats, left: Floats) -> Floats:
    """The log of the mean wealth over the grid (the last axis) plus what was not yet bet."""
    top = np.maximum(wealth.max(axis=-1), -50.0)
    mean = np.exp(wealth - top[..., None]).mean(axis=-1)
    with np.errstate(divide="ignore"):
        found: Floats = np.logaddexp(top + np.log(mean), np.log(left))
    return found
