"""What an HTTPRoute's weights and conditions mean."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.canary_plan import Route
from bot.providers.gateway.views import Weights, split_of, weights

ROUTE = Route(
    file="route.yaml",
    name="web",
    stable="web",
    canary="web-canary",
    canary_file="canary.yaml",
    deployment="web-canary",
    container="app",
)


ACCEPTED = {"type": "Accepted", "status": "True", "observedGeneration": 3}


def ref(name: str, weight: int | None = None) -> dict[str, Any]:
    return {"name": name} | ({} if weight is None else {"weight": weight})


def raw(*rules: list[dict[str, Any]], conditions: Any = None) -> dict[str, Any]:
    parent = {"parentRef": {"name": "public"}, "conditions": conditions or [ACCEPTED]}
    return {
        "metadata": {"name": "web", "generation": 3},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "rules": [{"backendRefs": each} for each in rules],
        },
        "status": {"parents": [] if conditions == [] else [parent]},
    }


@pytest.mark.parametrize(
    ("rules", "share"),
    [
        ([[ref("web", 90), ref("web-canary", 10)]], 0.1),
        ([[ref("web", 9), ref("web-canary", 1)]], 0.1),
        ([[ref("web"), ref("web-canary", 0)]], 0.0),
        ([[ref("web"), ref("web-canary")]], 0.5),
        ([[ref("docs")], [ref("web", 1), ref("web-canary", 1)]], 0.5),
        ([[ref("web", 90), ref("web-canary", 10)], [ref("web", 9), ref("web-canary", 1)]], 0.1),
    ],
)
def test_a_weight_is_a_part_of_its_rules_sum(rules: list[Any], share: float) -> None:
    split = split_of(raw(*rules), ROUTE)
    assert (split.wrong, split.accepted) == ("", True)
    assert split.share == pytest.approx(share)


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ([[ref("web", 1)]], "does not refer to the Service web-canary"),
        ([[ref("web", 1), ref("web-canary", 0), ref("x", 1)]], "refers to the Service x as well"),
        ([[ref("docs", 1)]], "None of its rules"),
        ([], "None of its rules"),
        ([[ref("web", 0), ref("web-canary", 0)]], "All weights of a rule are 0"),
        (
            [[ref("web", 1), ref("web-canary", 1)], [ref("web", 1), ref("web-canary", 0)]],
            "different weights",
        ),
    ],
)
def test_what_cannot_be_shifted_is_said(rules: list[Any], wrong: str) -> None:
    assert wrong in split_of(raw(*rules), ROUTE).wrong


@pytest.mark.parametrize(
    ("conditions", "waits"),
    [
        ([], "Gateway public has not taken note"),
        (
            [{"type": "Accepted", "status": "True", "observedGeneration": 2}],
            "Gateway public has not seen the newest weights yet",
        ),
        (
            [ACCEPTED, {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"}],
            "Gateway public does not accept the HTTPRoute: BackendNotFound",
        ),
        (
            [{"type": "ResolvedRefs", "status": "True"}],
            "Gateway public has not accepted the HTTPRoute yet",
        ),
        (
            [
                ACCEPTED,
                {"type": "PartiallyInvalid", "status": "True", "reason": "RuleDropped"},
            ],
            "Gateway public does not accept the HTTPRoute: RuleDropped",
        ),
    ],
)
def test_weights_count_once_the_gateway_has_taken_note(conditions: Any, waits: str) -> None:
    split = split_of(raw([ref("web", 90), ref("web-canary", 10)], conditions=conditions), ROUTE)
    assert not split.accepted
    assert waits in split.waits


def test_every_gateway_that_it_is_bound_to_counts_and_no_other() -> None:
    route = raw([ref("web", 90), ref("web-canary", 10)])
    left = {"parentRef": {"name": "old"}, "conditions": [{**ACCEPTED, "status": "False"}]}
    route["status"]["parents"].append(left)
    assert split_of(route, ROUTE).accepted
    route["spec"]["parentRefs"].append({"name": "public", "sectionName": "internal"})
    assert not split_of(route, ROUTE).accepted
    route["spec"]["parentRefs"] = []
    assert split_of(route, ROUTE).waits == "the HTTPRoute is bound to no Gateway"


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.1, Weights(90, 10)),
        (0.005, Weights(995, 5)),
        (0.0025, Weights(9975, 25)),
        (0.0, Weights(100, 0)),
    ],
)
def test_shares_are_written_in_whole_numbers(share: float, expected: Weights) -> None:
    assert weights(share) == expected
