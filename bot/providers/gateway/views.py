"""What the cluster shows of an HTTPRoute, and of the two Deployments behind it. Pure.

https://gateway-api.sigs.k8s.io/reference/spec/#httproute: a backend's weight is its part of the sum
of all weights of its rule, and 1 where none is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.model.canary_plan import Route
from bot.providers.kube.cluster import Raw
from bot.providers.kube.fields import Fields
from bot.providers.kube.workload import Workload, digest_in

#: True where a Gateway leaves out some of its rules, or goes on by an earlier state of them.
_PARTLY = "PartiallyInvalid"
#: Shares that differ by less than this are the same.
ALIKE = 1e-4


@dataclass(frozen=True, slots=True)
class Split:
    """How an HTTPRoute divides the requests. ``wrong`` is why that cannot be shifted, a sentence.

    ``accepted`` says that every Gateway it is bound to has taken note of its newest spec, and
    ``waits`` why it has not.
    """

    share: float
    accepted: bool
    waits: str = ""
    wrong: str = ""

    def is_at(self, share: float) -> bool:
        """Whether the canary has that share."""
        return abs(self.share - share) < ALIKE


@dataclass(frozen=True, slots=True)
class Weights:
    """What stands in git for the two Services."""

    stable: int
    canary: int


def weights(share: float) -> Weights:
    """Whole numbers that divide the requests so."""
    whole = next((each for each in (100, 1000, 10_000) if _is_whole(share * each)), 10_000)
    canary = round(share * whole)
    return Weights(whole - canary, canary)


def split_of(raw: Raw, route: Route) -> Split:
    """From the API's JSON."""
    found = Fields(raw, "HTTPRoute")
    shares = [_share(rule, route) for rule in found.inside("spec").items("rules")]
    waits = next(_unaccepted(found), "")
    known = [each for each in shares if isinstance(each, float)]
    wrong = next((each for each in shares if isinstance(each, str)), "")
    if not known and not wrong:
        wrong = "None of its rules sends anything to either Service."
    if any(abs(each - known[0]) >= ALIKE for each in known):
        wrong = wrong or "Its rules have different weights."
    return Split(known[0] if known else 0.0, not waits, waits, wrong)


def _share(rule: Fields, route: Route) -> float | str | None:
    """The canary's share of one rule; why there is none, or ``None`` where it is not concerned."""
    weight = {each.text("name"): each.number("weight", 1) for each in rule.items("backendRefs")}
    if weight.keys().isdisjoint({route.stable, route.canary}):
        return None
    if missing := {route.stable, route.canary} - weight.keys():
        return f"One of its rules does not refer to the Service {min(missing)}."
    if others := weight.keys() - {route.stable, route.canary}:
        return f"One of its rules refers to the Service {min(others)} as well."
    whole = sum(weight.values())
    return weight[route.canary] / whole if whole else "All weights of a rule are 0."


def _unaccepted(route: Fields) -> Iterator[str]:
    """Why it is not in force as it stands, each a clause.

    A Gateway that it is bound to no more may have left its word behind: that one does not count.
    """
    metadata, status = route.inside("metadata"), route.inside("status")
    wanted = [_name(each, metadata) for each in route.inside("spec").items("parentRefs")]
    if not wanted:
        yield "the HTTPRoute is bound to no Gateway"
    told = [(_name(each.inside("parentRef"), metadata), each) for each in status.items("parents")]
    for name in wanted:
        words = [parent for other, parent in told if other == name]
        if not words:
            yield f"Gateway {name[1]} has not taken note of the HTTPRoute"
        for parent in words:
            yield from _refused(parent, name[1], metadata.number("generation"))


def _refused(parent: Fields, name: str, generation: int) -> Iterator[str]:
    known = {each.text("type"): each for each in parent.items("conditions")}
    if "Accepted" not in known:
        yield f"Gateway {name} has not accepted the HTTPRoute yet"
    for kind, good in (("Accepted", "True"), ("ResolvedRefs", "True"), (_PARTLY, "False")):
        if (each := known.get(kind)) is None:
            continue
        if each.number("observedGeneration", generation) < generation:
            yield f"Gateway {name} has not seen the newest weights yet"
        elif each.text("status") != good:
            said = each.text("message") or each.text("reason")
            yield f"Gateway {name} does not accept the HTTPRoute: {said}"


def _name(parent: Fields, metadata: Fields) -> tuple[str, str, str, int]:
    """By what a reference to a Gateway, or to one of its listeners, is known again."""
    namespace = parent.text("namespace") or metadata.text("namespace")
    return namespace, parent.text("name"), parent.text("sectionName"), parent.number("port")


def runs(workload: Workload, value: str) -> bool:
    """Whether one of its containers is to run the image of that value."""
    digest = digest_in(value)
    return any(
        digest in each.image if digest else each.image.endswith(f":{value}")
        for each in workload.containers
    )


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < ALIKE
