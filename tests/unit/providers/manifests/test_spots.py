"""Several scalars of plain manifests: found, and changed together, and nothing but them."""

from __future__ import annotations

import pytest

from bot.model.errors import Misconfigured
from bot.providers.manifests import Spot, amended, parse, value_at

FILE = "web/canary.yaml"
TEXT = """\
# one file for all of it
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-canary}
spec:
  replicas: 0   # how many
  template:
    spec:
      containers:
        - {name: side, image: "side:v9"}
        - name: app
          image: 'web:v1'
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
spec:
  rules:
    - backendRefs: [{name: web, weight: 100}, {name: web-canary, weight: 0}]
    - filters: []
    - backendRefs:
      - name: web-canary
        weight: 0
      - {name: web, weight: 100}
"""
IMAGE = Spot(FILE, "image", "web-canary", "app")
REPLICAS = Spot(FILE, "replicas", "web-canary")
STABLE, CANARY = Spot(FILE, "weight", "web", "web"), Spot(FILE, "weight", "web", "web-canary")


def read(text: str, *spots: Spot) -> list[str]:
    return [value_at(parse(FILE, text), spot) for spot in spots]


def test_all_of_it_changes_at_once_and_nothing_else() -> None:
    values = {IMAGE: "web:v2", REPLICAS: "12", STABLE: "90", CANARY: "10"}
    after = amended(FILE, TEXT, values)
    assert read(after, IMAGE, REPLICAS, STABLE, CANARY) == list(values.values())
    expected = TEXT.replace("'web:v1'", "'web:v2'").replace("replicas: 0 ", "replicas: 12 ")
    expected = expected.replace("weight: 100", "weight: 90").replace("weight: 0", "weight: 10")
    assert after == expected


def test_what_stands_there_already_changes_nothing() -> None:
    assert amended(FILE, TEXT, {REPLICAS: "0", CANARY: "0"}) == TEXT


@pytest.mark.parametrize("value", ["", "-1", "01", "1.5", "ten", "1234567890", "1\nkind: Secret"])
def test_only_a_whole_number_is_written_for_one(value: str) -> None:
    with pytest.raises(Misconfigured, match="cannot stand there, it is no number"):
        amended(FILE, TEXT, {CANARY: value})


@pytest.mark.parametrize(
    ("old", "new", "spot", "said"),
    [
        ("replicas: 0 ", 'replicas: "0" ', REPLICAS, "is no whole number"),
        ("replicas: 0 ", "replicas: 0x1 ", REPLICAS, "is no whole number"),
        ("replicas: 0 ", "replicas: &few 0 ", REPLICAS, "carries the anchor &few"),
        ("  replicas: 0   # how many\n", "", REPLICAS, "there is no 'replicas'"),
        ("replicas: 0 ", "replicas: '{{ .Values.few }}' ", REPLICAS, "is a template"),
        ("{name: web-canary, weight: 0}", "{name: web-canary}", CANARY, "there is no 'weight'"),
        ("{name: web-canary, weight: 0}", "{name: web-canary, weight: 3}", CANARY, "another rule"),
        ("name: app", "name: other", IMAGE, "there are side, other"),
        ("kind: HTTPRoute", "kind: GRPCRoute", CANARY, "there is no HTTPRoute 'web'"),
    ],
)
def test_what_cannot_be_changed_in_place_is_refused(
    old: str, new: str, spot: Spot, said: str
) -> None:
    assert old in TEXT
    with pytest.raises(Misconfigured, match=said) as fault:
        read(TEXT.replace(old, new, 1), spot)
    assert fault.value.message.startswith(FILE), "it names the place"


def test_a_service_that_no_rule_knows_is_not_found() -> None:
    with pytest.raises(Misconfigured, match="no rule refers to that Service"):
        read(TEXT, Spot(FILE, "weight", "web", "nobody"))
