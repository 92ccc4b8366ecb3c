"""What can be done to the visitors of the demo's services, and to how versions answer them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.playground.page.arms import Arms, Site, Watch
from bot.playground.page.panels import Button, Panel
from bot.playground.slack.refusal import CannotDo

#: How many visitors come, in parts of what is usual.
CROWDS: Final = {"0": "none", "0.1": "a tenth", "1": "as usual", "5": "5 times"}
USUAL = "1"
#: What everybody suffers while there is an incident: a share of errors, a factor on the time.
INCIDENT: Final = (0.1, 2.0)
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
    """The levers of all sites. Not safe to share between threads: ``Levers`` takes care.

    Each acts on the service that is named in its arguments, or else on the one that is watched.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._crowds = dict.fromkeys(watch.services, USUAL)
        self.pulls: Mapping[str, Callable[[Mapping[str, str]], str]] = {
            "watch": self._choose,
            "visitors": self._crowd_in,
            "trait": self._set_trait,
            "incident": self._incident,
            "weights": self._shift,
        }

    def choice(self) -> Panel:
        """Which service they act on, and which it could be."""
        watched = self._watch.watched()[0].service
        buttons = [
            Button("watch", each, arguments={"service": each}, pressed=each == watched)
            for each in self._watch.services
        ]
        return Panel("lever-watch", "Watched", "What charts and levers are of.", buttons)

    def panels(self) -> list[Panel]:
        """How visitors, the new version and the rule are, each with what else they could be."""
        site, arms = self._watch.watched()
        traits = [_trait(name, site) for name in TRAITS]
        return [self._visitors(site.service), *traits, self._shared(), _by_hand(site, arms)]

    # How it is

    def _visitors(self, service: str) -> Panel:
        now = self._crowds[service]
        rates = [f"{rate * float(now):g}/s in {each}" for each, rate in self._rates(service)]
        buttons = [
            Button(
                "visitors",
                label,
                arguments={"service": service, "crowd": crowd},
                pressed=crowd == now,
            )
            for crowd, label in CROWDS.items()
        ]
        said = f"{' and '.join(rates)}."
        return Panel("lever-visitors", f"Visitors of {service}", said, buttons, now != USUAL)

    def _rates(self, service: str) -> list[tuple[str, float]]:
        sites = [each for each in self._watch.sites if each.service == service]
        return [(each.environment, each.per_second) for each in reversed(sites)]

    def _shared(self) -> Panel:
        if self._suffering():
            said = "Every version fails a tenth more, at half the speed."
            end = Button("incident", "End it", arguments={"state": "over"})
            return Panel("lever-incident", "Shared incident", said, [end], pulled=True)
        begin = Button("incident", "Begin", danger=True, arguments={"state": "on"})
        return Panel("lever-incident", "Shared incident", "There is none.", [begin])

    def _suffering(self) -> bool:
        return any(each.suffering() for each in self._watch.sites)

    # Pulling

    def _choose(self, arguments: Mapping[str, str]) -> str:
        service = arguments.get("service", "")
        self._watch.choose(service)
        return f"Charts and levers are those of {service}."

    def _crowd_in(self, arguments: Mapping[str, str]) -> str:
        crowd = _one_of(CROWDS, arguments, "crowd")
        service = self._site(arguments)[0].service
        self._crowds[service] = crowd
        for each in self._watch.sites:
            if each.service == service:
                each.crowd(float(crowd))
        return f"Visitors of {service}: {CROWDS[crowd]}."

    def _set_trait(self, arguments: Mapping[str, str]) -> str:
        trait = TRAITS[_one_of(TRAITS, arguments, "trait")]
        label, levers = trait.options[_one_of(trait.options, arguments, "option")]
        site = self._site(arguments)[0]
        tag = site.subject().tag
        site.bend({**levers, "cold_seconds": _COLD})
        return f"{site.service} {tag}: {trait.title.lower()} {label}, from now on."

    def _incident(self, arguments: Mapping[str, str]) -> str:
        wanted = _one_of({"on": "", "over": ""}, arguments, "state") == "on"
        if wanted == self._suffering():
            raise CannotDo("There is one already." if wanted else "There is none.")
        for each in self._watch.sites:
            if wanted:
                each.suffer(*INCIDENT)
            else:
                each.calm()
        if not wanted:
            return "The incident is over."
        return "A shared incident: every version fails a tenth more and is half as fast."

    def _shift(self, arguments: Mapping[str, str]) -> str:
        site = self._site(arguments)[0]
        hand = _one_of(site.hands, arguments, "weights")
        site.shift(*site.hands[hand])
        where = f"{site.service} in {site.environment}"
        return f"Somebody else {site.deed.format(where=where, hand=hand)}, past the bot."

    def _site(self, arguments: Mapping[str, str]) -> tuple[Site, Arms]:
        """Where its canary is, or production; ``ValueError`` for a service without visitors."""
        service = arguments.get("service")
        if service is None:
            return self._watch.watched()
        _one_of(dict.fromkeys(self._watch.services), arguments, "service")
        return next(each for each in self._watch.arms() if each[0].service == service)


def _trait(name: str, site: Site) -> Panel:
    trait, subject = TRAITS[name], site.subject()
    options = trait.options.items()
    now = next((each for each, (_, levers) in options if _is(subject.levers, levers)), "")
    buttons = [
        Button(
            "trait",
            label,
            danger=option not in {trait.usual, now},
            arguments={"service": site.service, "trait": name, "option": option},
            pressed=option == now,
        )
        for option, (label, _) in options
    ]
    said = f"of {site.service} {subject.tag}{trait.state}"
    return Panel(f"lever-{name}", trait.title, said, buttons, now != trait.usual)


def _by_hand(site: Site, arms: Arms) -> Panel:
    now = f"{arms.stable.weight}:{arms.canary.weight}"
    buttons = [
        Button(
            "weights",
            label,
            danger=label not in {"100:0", now},
            arguments={"service": site.service, "weights": label},
            pressed=label == now,
        )
        for label in site.hands
    ]
    said = f"{site.environment}: {now}. Somebody else, past the bot."
    return Panel("lever-weights", "Weights, stable:canary", said, buttons)


def _is(now: Mapping[str, float], levers: Mapping[str, float]) -> bool:
    return all(math.isclose(now[name], value) for name, value in levers.items())


def _one_of(known: Mapping[str, object], arguments: Mapping[str, str], name: str) -> str:
    given = arguments.get(name, "")
    if given not in known:
        raise ValueError(f"There is no {name} {given!r}; choose {', '.join(known)}.")
    return given
