"""What the levers look like: for each thing that can go wrong, how it is and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from bot.playground.aws.records import Behaviour
from bot.playground.page.templating import template
from bot.playground.tour.fleet import ENVIRONMENTS, SERVICES

#: What an image does when it is started, in the words of whoever chooses.
BEHAVIOURS: Final = {
    Behaviour.GOOD: "good",
    Behaviour.CRASHING: "crashing",
    Behaviour.SLOW: "slow to start",
    Behaviour.UNHEALTHY: "never healthy",
    Behaviour.UNPULLABLE: "unpullable",
}
#: How fast ECS goes, and how that is called. The demo's own time is the second.
PACES: Final = {"1": "x1, as in AWS", "20": "x20", "60": "x60", "0": "standstill"}


@dataclass(frozen=True, slots=True)
class Button:
    """One press pulls ``lever`` with ``arguments``; ``pressed`` where it is one of a choice."""

    lever: str
    label: str
    danger: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    pressed: bool | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a form: a value and a label for each option."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing. With ``choices`` it is a form, which its only button sends."""

    id: str
    title: str
    state: str
    buttons: Sequence[Button]
    pulled: bool = False
    choices: Sequence[Choice] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """How everything is at the moment."""

    aws: str
    lag: float
    pace: str
    database: bool
    slack: bool
    bot: str
    failure: str
    versions: Sequence[str]


def draw_panel(panel: Panel) -> Markup:
    """One panel as HTML, under its id."""
    drawn = template("levers.html").render(it=panel)
    return Markup(drawn)  # noqa: S704 - an autoescaped template made it


def panels(now: Pulled) -> list[Panel]:
    """All of them, each offering the opposite of what is."""
    return [_release(), _aside(now), _bot(now), _database(now), _slack(now), *_aws(now), _pace(now)]


def _release() -> Panel:
    behaviours = [(kind.value, word) for kind, word in BEHAVIOURS.items()]
    choices = (_services(), Choice("behaviour", "Image", behaviours))
    push = Button("release", "Push image")
    return Panel("lever-release", "Release", "A new version for /deploy.", [push], choices=choices)


def _aside(now: Pulled) -> Panel:
    environments = Choice("environment", "Environment", [(each, each) for each in ENVIRONMENTS])
    versions = Choice("version", "Version", [(each, each) for each in now.versions])
    return Panel(
        "lever-aside",
        "Deploy out of band",
        "Somebody else, past the bot.",
        [Button("deploy-aside", "Deploy")],
        choices=(_services(), environments, versions),
    )


def _services() -> Choice:
    return Choice("service", "Service", [(each, each) for each in SERVICES])


def _bot(now: Pulled) -> Panel:
    button = Button("start", "Start again") if now.bot == "down" else _kill()
    state = {"up": "It runs.", "down": "It is down.", "starting": "It is starting…"}[now.bot]
    return Panel("lever-bot", "Bot", state, [button], now.bot != "up", detail=now.failure)


def _kill() -> Button:
    return Button("kill", "kill -9", danger=True)


def _database(now: Pulled) -> Panel:
    if now.database:
        back = Button("bring-database-back", "Bring back")
        state = "Nothing can be recorded. Reads go on."
        return Panel("lever-database", "Database", state, [back], pulled=True)
    lose = Button("lose-database", "Lose it", danger=True)
    return Panel("lever-database", "Database", "It takes what is recorded.", [lose])


def _slack(now: Pulled) -> Panel:
    if now.slack:
        back = Button("bring-slack-back", "Bring back")
        return Panel("lever-slack", "Slack", "Its API answers 503.", [back], pulled=True)
    down = Button("take-slack-down", "Take down", danger=True)
    return Panel("lever-slack", "Slack", "Its API answers.", [down])


def _aws(now: Pulled) -> list[Panel]:
    states = {
        "answers": "It answers.",
        "throttled": "Every call: ThrottlingException.",
        "denied": "Every call: AccessDeniedException.",
    }
    bad = now.aws != "answers"
    throttle = Button("throttle", "Throttle", danger=True)
    deny = Button("deny", "Deny", danger=True)
    buttons = [Button("answer", "Let it answer")] if bad else [throttle, deny]
    lagging = f"Reads lag {now.lag:g} s behind (ECS's time)." if now.lag else "Reads are fresh."
    lag = Button("fresh", "Read afresh") if now.lag else Button("lag", "Lag reads", danger=True)
    return [
        Panel("lever-aws", "AWS API", states[now.aws], buttons, bad),
        Panel("lever-lag", "AWS reads", lagging, [lag], bool(now.lag)),
    ]


def _pace(now: Pulled) -> Panel:
    buttons = [
        Button("pace", label, arguments={"speed": speed}, pressed=speed == now.pace)
        for speed, label in PACES.items()
    ]
    state = "For tasks that start from now on."
    return Panel("lever-pace", "Speed of ECS", state, buttons, now.pace != "20")
