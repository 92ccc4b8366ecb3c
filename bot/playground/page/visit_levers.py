"""What can be done to the visitors of the demo's backend, and to how its versions answer them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.playground.aws.records import Image
from bot.playground.aws.versions import BROKEN, Version
from bot.playground.aws.world import World
from bot.playground.page.arms import Arms, arms_of
from bot.playground.page.panels import Button, Panel
from bot.playground.page.versions import number, versions
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.visitors import PER_SECOND, SERVICE, Fronts

#: How many visitors come, in parts of what is usual.
CROWDS: Final = {"0": "none", "0.1": "a tenth", "1": "as usual", "5": "5 times"}
#: What everybody suffers while there is an incident: a share of errors, a factor on the time.
INCIDENT: Final = (0.1, 2.0)
#: Until somebody ends it: longer than any demo. Seconds.
LASTS = 1e6
#: Weights that somebody else may set: of the stable version and of the canary.
WEIGHTS: Final = {"100:0": (100, 0), "50:50": (50, 50), "0:100": (0, 100)}
_COLD = 20.0


@dataclass(frozen=True, slots=True)
class Trait:
    """One way in which a version may be bad: for each option its label and levers.

    The first option is how versions are unless told otherwise. ``state`` is what else there is to
    say of it.
    """

    title: str
    options: Mapping[str, tuple[str, Mapping[str, float]]]
    state: str = ""

    @property
    def usual(self) -> str:
        """The first option."""
        return next(iter(self.options))


TRAITS: Final = {
    "errors": Trait(
        "Errors",
        {
            "usual": ("0.1 %", {"errors": 0.001}),
            "some": ("1 %", {"errors": 0.01}),
            "more": ("5 %", {"errors": 0.05}),
            "many": ("20 %", {"errors": 0.2}),
            "all": ("all", {"errors": 1.0}),
        },
    ),
    "latency": Trait(
        "Response time",
        {
            "usual": ("usual", {"latency": 1.0}),
            "slower": ("x1.5", {"latency": 1.5}),
            "slow": ("x4", {"latency": 4.0}),
        },
    ),
    "leak": Trait(
        "Leak",
        {
            "usual": ("none", {"leak_errors": 0.0, "leak_latency": 0.0}),
            "errors": ("errors", {"leak_errors": 0.02, "leak_latency": 0.0}),
            "time": ("slowness", {"leak_errors": 0.0, "leak_latency": 0.4}),
        },
        ", more with every minute",
    ),
    "cold": Trait(
        "Cold start",
        {
            "usual": ("none", {"cold_errors": 0.0, "cold_latency": 1.0}),
            "slow": ("slow", {"cold_errors": 0.0, "cold_latency": 8.0}),
            "failing": ("failing", {"cold_errors": 0.3, "cold_latency": 1.0}),
        },
        ", each task's first minute",
    ),
}


class VisitLevers:
    """The levers of one world. Not safe to share between threads: ``Levers`` takes care."""

    def __init__(self, world: World, fronts: Fronts) -> None:
        self._world = world
        self._fronts = fronts
        self._crowd = "1"
        self.pulls: Mapping[str, Callable[[Mapping[str, str]], str]] = {
            "visitors": self._crowd_in,
            "trait": self._set_trait,
            "incident": self._incident,
            "weights": self._shift,
        }

    def panels(self) -> list[Panel]:
        """How visitors, the new version and the rule are, each with what else they could be."""
        arms = arms_of(self._world, self._fronts)[0]
        tag, image = self._subject(arms)
        with self._world.lock:
            version = self._world.traffic.version(image.digest)
            traits = [_trait(name, tag, version) for name in TRAITS]
        return [self._visitors(), *traits, self._shared(), self._by_hand(arms)]

    # How it is

    def _visitors(self) -> Panel:
        rates = [f"{rate * float(self._crowd):g}/s in {each}" for each, rate in _rates()]
        buttons = [
            Button("visitors", label, arguments={"crowd": crowd}, pressed=crowd == self._crowd)
            for crowd, label in CROWDS.items()
        ]
        said = f"{' and '.join(rates)}."
        return Panel("lever-visitors", f"Visitors of {SERVICE}", said, buttons, self._crowd != "1")

    def _shared(self) -> Panel:
        if self._suffering():
            said = "Every version fails a tenth more, at half the speed."
            end = Button("incident", "End it", arguments={"state": "over"})
            return Panel("lever-incident", "Shared incident", said, [end], pulled=True)
        begin = Button("incident", "Begin", danger=True, arguments={"state": "on"})
        return Panel("lever-incident", "Shared incident", "There is none.", [begin])

    def _by_hand(self, arms: Arms) -> Panel:
        now = f"{arms.stable.weight}:{arms.canary.weight}"
        buttons = [
            Button(
                "weights",
                label,
                danger=label not in {"100:0", now},
                arguments={"weights": label},
                pressed=label == now,
            )
            for label in WEIGHTS
        ]
        said = f"{arms.environment}: {now}. Somebody else, past the bot."
        return Panel("lever-weights", "Weights, stable:canary", said, buttons)

    def _suffering(self) -> bool:
        with self._world.lock:
            return bool(self._world.traffic.flow.incidents)

    def _subject(self, arms: Arms) -> tuple[str, Image]:
        """The canary's version; without one the newest that starts at all, which may be next."""
        with self._world.lock:
            home = self._world.estate().repositories[SERVICE]
            known = [(tag, home.find(tag)) for tag in sorted(versions(home), key=number)]
            there = [(tag, image) for tag, image in known if image is not None]
            if arms.canary.there:
                running = [each for each in there if each[1].digest == arms.canary.digest]
                return running[-1] if running else there[-1]
            good = [each for each in there if each[1].behaviour not in BROKEN]
            return good[-1]

    # Pulling

    def _crowd_in(self, arguments: Mapping[str, str]) -> str:
        crowd = _one_of(CROWDS, arguments, "crowd")
        self._crowd = crowd
        for environment, rate in _rates():
            stream = self._world.traffic.flow.stream(self._fronts[environment].rule)
            rule = self._fronts[environment].rule
            self._world.traffic.set(rule, rate * float(crowd), stream.wobble)
        return f"Visitors of {SERVICE}: {CROWDS[crowd]}."

    def _set_trait(self, arguments: Mapping[str, str]) -> str:
        trait = TRAITS[_one_of(TRAITS, arguments, "trait")]
        label, levers = trait.options[_one_of(trait.options, arguments, "option")]
        arms = arms_of(self._world, self._fronts)[0]
        tag, image = self._subject(arms)
        with self._world.lock:
            version = self._world.traffic.version(image.digest)
            for name, value in levers.items():
                setattr(version, name, value)
            if trait is TRAITS["leak"]:
                version.leak(levers["leak_errors"], levers["leak_latency"])
            version.cold_seconds = _COLD
        return f"{SERVICE} {tag}: {trait.title.lower()} {label}, from now on."

    def _incident(self, arguments: Mapping[str, str]) -> str:
        wanted = _one_of({"on": "", "over": ""}, arguments, "state") == "on"
        if wanted == self._suffering():
            raise CannotDo("There is one already." if wanted else "There is none.")
        if not wanted:
            self._world.traffic.calm()
            return "The incident is over."
        errors, latency = INCIDENT
        self._world.traffic.incident(errors=errors, latency=latency, seconds=LASTS)
        return "A shared incident: every version fails a tenth more and is half as fast."

    def _shift(self, arguments: Mapping[str, str]) -> str:
        label = _one_of(WEIGHTS, arguments, "weights")
        stable, canary = WEIGHTS[label]
        arms = arms_of(self._world, self._fronts)[0]
        front = arms.front
        self._world.balancers.set_weights(front.rule, {front.stable: stable, front.canary: canary})
        return f"Somebody else set the weights in {arms.environment} to {label}, past the bot."


def _rates() -> list[tuple[str, float]]:
    return list(reversed(PER_SECOND.items()))


def _trait(name: str, tag: str, version: Version) -> Panel:
    trait = TRAITS[name]
    now = next((each for each, (_, levers) in trait.options.items() if _is(version, levers)), "")
    buttons = [
        Button(
            "trait",
            label,
            danger=option not in {trait.usual, now},
            arguments={"trait": name, "option": option},
            pressed=option == now,
        )
        for option, (label, _) in trait.options.items()
    ]
    return Panel(
        f"lever-{name}", trait.title, f"of {tag}{trait.state}", buttons, now != trait.usual
    )


def _is(version: Version, levers: Mapping[str, float]) -> bool:
    return all(math.isclose(getattr(version, name), value) for name, value in levers.items())


def _one_of(known: Mapping[str, object], arguments: Mapping[str, str], name: str) -> str:
    given = arguments.get(name, "")
    if given not in known:
        raise ValueError(f"There is no {name} {given!r}; choose {', '.join(known)}.")
    return given
