from __future__ import annotations

import pytest

from bot.model.canary import Past
from bot.model.counts import Arm
from bot.workflows.canary.bench import per_second


@pytest.mark.parametrize(
    ("requests", "rate"),
    [
        ([600] * 60, 10.0),
        ([0] * 55 + [600] * 5, 10.0),
        ([600] * 5 + [0] * 5, 5.0),
        ([60] * 20 + [300] * 20 + [600] * 5, 10.0),
        ([0] * 60, 0.0),
        ([], 0.0),
    ],
)
def test_the_rate_is_that_of_late(requests: list[int], rate: float) -> None:
    """What took over a while ago has been there for no hour, and was a canary before."""
    past = Past(tuple(Arm(each) for each in requests), 60, None)
    assert per_second(past) == rate
