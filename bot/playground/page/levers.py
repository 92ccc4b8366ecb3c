"""What can be done to the world behind the chat: releases, faults, outages, and the end of the bot.

What is pulled is read back from the things themselves wherever they tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from threading import Lock
from typing import Final

from markupsafe import Markup

from bot.playground.aws.errors import AwsError
from bot.playground.aws.faults import EVERYTHING
from bot.playground.aws.records import Behaviour, Repository
from bot.playground.aws.tasks import Timings
from bot.playground.page.arms import Watch
from bot.playground.page.git_levers import GitLevers
from bot.playground.page.mishaps import LostDatabase, Restart
from bot.playground.page.panels import BEHAVIOURS, PACES, Pulled, draw_panel, panels
from bot.playground.page.versions import number, versions
from bot.playground.page.visit_levers import VisitLevers
from bot.playground.slack.records import Outage
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.fleet import ENVIRONMENTS, ON_ECS, SERVICES, environments_of, image_of
from bot.playground.tour.stage import SPEED, Stage

#: How far reads lag, and how long a pull takes at a standstill, in virtual seconds.
LAG, STANDSTILL = 60.0, 3600.0
_USUAL: Final = f"{SPEED:g}"

Arguments = Mapping[str, str]


class Levers:
    """All levers of one stage. Safe to share between threads; close it before the stage.

    ``watch`` has the services with visitors.
    """

    def __init__(self, stage: Stage, watch: Watch) -> None:
        self._stage = stage
        self._lock = Lock()
        self._database = LostDatabase(stage.folder / "quarterdeck.db")
        self._restart = Restart(stage.bot)
        self._aws = "answers"
        self._pace = _USUAL
        self._git = GitLevers(stage.cluster)
        self._visits = VisitLevers(watch)
        self._pulls: dict[str, Callable[[Arguments], str]] = {
            "release": self._release,
            "deploy-aside": self._deploy_aside,
            "kill": self._kill,
            "start": self._start,
            "lose-database": self._lose_database,
            "bring-database-back": self._bring_database_back,
            "take-slack-down": self._take_slack_down,
            "bring-slack-back": self._bring_slack_back,
            "throttle": self._throttle,
            "deny": self._deny,
            "answer": self._answer,
            "lag": self._lag,
            "fresh": self._fresh,
            "pace": self._set_pace,
            **self._git.pulls,
            **self._visits.pulls,
        }

    def pull(self, name: str, arguments: Arguments) -> str:
        """Do it; returns what was done, as sentences.

        ``ValueError`` for words that mean nothing, ``CannotDo`` for what is not possible now.
        """
        pull = self._pulls.get(name)
        if pull is None:
            raise ValueError(f"There is no lever {name!r}.")
        with self._lock:
            return pull(arguments)

    def elements(self) -> list[tuple[str, Markup]]:
        """Element id and HTML of every lever, each offering the opposite of what is."""
        *others, pace = panels(self._now())
        return [(each.id, draw_panel(each)) for each in (*others, *self._git.panels(), pace)]

    def beside_canaries(self) -> list[tuple[str, Markup]]:
        """The same of the levers that are pulled while a canary runs."""
        return [(each.id, draw_panel(each)) for each in self._visits.panels()]

    def watched(self) -> list[tuple[str, Markup]]:
        """The same of what chooses the service that they act on."""
        panel = self._visits.choice()
        return [(panel.id, draw_panel(panel))]

    def draw(self) -> Markup:
        """All of them in one piece."""
        everything = (*self.elements(), *self.watched(), *self.beside_canaries())
        inside = Markup("\n").join(html for _, html in everything)
        return Markup('<div class="w-levers">{}</div>').format(inside)

    def close(self) -> None:
        """Let go of the database, and of a bot that is only being started."""
        with self._lock:
            self._database.close()
            if self._restart.under_way:
                self._restart.abandon()

    def _now(self) -> Pulled:
        stage = self._stage
        bot = "up" if stage.bot.alive else "down"
        return Pulled(
            aws=self._aws,
            lag=stage.aws.faults.lag_seconds,
            pace=self._pace,
            database=self._database.lost,
            slack=stage.slack.outage is not None,
            bot="starting" if self._restart.under_way else bot,
            failure=self._restart.failure,
            versions=self._versions(),
        )

    # Releases

    def _versions(self) -> list[str]:
        with self._stage.aws.lock:
            found = {tag for each in SERVICES for tag in versions(self._repository(each))}
        return sorted(found, key=number, reverse=True)

    def _repository(self, service: str) -> Repository:
        return self._stage.aws.estate().repositories[service]

    def _release(self, arguments: Arguments) -> str:
        service = _one_of(SERVICES, arguments, "service")
        kind = Behaviour(_one_of([each.value for each in Behaviour], arguments, "behaviour"))
        with self._stage.aws.lock:
            newest = max(map(number, versions(self._repository(service))), default=(1, -1, 0))
            version = f"v{newest[0]}.{newest[1] + 1}.0"
            self._stage.aws.push(service, version, kind)
        said = f"Pushed {service} {version} ({BEHAVIOURS[kind]})."
        return f"{said} Type /deploy {service} {environments_of(service)[0]} {version}."

    def _deploy_aside(self, arguments: Arguments) -> str:
        service = _one_of(SERVICES, arguments, "service")
        environment = _one_of(ENVIRONMENTS, arguments, "environment")
        if environment not in environments_of(service):
            raise CannotDo(f"{service} does not run in {environment}.")
        with self._stage.aws.lock:
            known = sorted(versions(self._repository(service)), key=number, reverse=True)
            version = _one_of(known, arguments, "version", f"version of {service}")
            if service not in ON_ECS:
                digest = image_of(self._stage.aws, service, version).digest
                self._stage.cluster.deploy_aside(service, environment, version, digest)
                return f"Somebody else committed {service} {version} for {environment}."
            try:
                self._stage.aws.deploy_out_of_band(environment, service, version)
            except AwsError as refused:
                raise CannotDo(f"ECS refused: {refused.message}") from refused
        return f"Somebody else deployed {service} {version} to {environment}, past the bot."

    # The bot

    def _kill(self, _arguments: Arguments) -> str:
        if not self._stage.bot.alive:
            soon = self._restart.under_way
            raise CannotDo("The bot has not begun yet." if soon else "The bot is down already.")
        self._restart.abandon()
        return "Killed the bot with kill -9: it had no time to say farewell."

    def _start(self, _arguments: Arguments) -> str:
        if self._restart.under_way:
            raise CannotDo("The bot is starting already.")
        if self._stage.bot.alive:
            raise CannotDo("The bot runs already.")
        self._restart.begin()
        return "Starting the bot: it goes on with what it was doing."

    # Outages

    def _lose_database(self, _arguments: Arguments) -> str:
        self._database.lose()
        return (
            "The database is lost to writers: what is there can be read, and nothing can be "
            "recorded until it is brought back."
        )

    def _bring_database_back(self, _arguments: Arguments) -> str:
        self._database.bring_back()
        return "The database is back."

    def _take_slack_down(self, _arguments: Arguments) -> str:
        if self._stage.slack.outage is not None:
            raise CannotDo("Slack is down already.")
        self._stage.slack.go_down(Outage.UNAVAILABLE)
        return (
            "Slack is down: its Web API answers 503, and no card is posted or changed until it is "
            "back. Commands still arrive, and are answered directly."
        )

    def _bring_slack_back(self, _arguments: Arguments) -> str:
        if self._stage.slack.outage is None:
            raise CannotDo("Slack is not down.")
        self._stage.slack.come_back()
        return "Slack is back."

    # AWS

    def _throttle(self, _arguments: Arguments) -> str:
        self._become("throttled")
        self._stage.aws.faults.throttle(EVERYTHING, n=None)
        return "AWS throttles: every call is refused with ThrottlingException."

    def _deny(self, _arguments: Arguments) -> str:
        self._become("denied")
        self._stage.aws.faults.deny(EVERYTHING)
        return "AWS denies: every call is refused with AccessDeniedException."

    def _answer(self, _arguments: Arguments) -> str:
        self._become("answers")
        return "AWS answers again."

    def _become(self, state: str) -> None:
        if state == self._aws:
            already = "AWS answers." if state == "answers" else f"AWS calls are {state} already."
            raise CannotDo(already)
        self._stage.aws.faults.clear(EVERYTHING)
        self._aws = state

    def _lag(self, _arguments: Arguments) -> str:
        self._stage.aws.faults.lag(LAG)
        return f"Reads of ECS show what was true {LAG:g} s before, by its own time."

    def _fresh(self, _arguments: Arguments) -> str:
        self._stage.aws.faults.lag(0.0)
        return "Reads of ECS are fresh again."

    def _set_pace(self, arguments: Arguments) -> str:
        pace = _one_of(list(PACES), arguments, "speed")
        before, self._pace = self._pace, pace
        world = self._stage.aws
        with world.lock:
            world.set_timings(**timings(float(pace)))
            if before == "0" != pace:
                jitter = 1 + Timings().jitter
                world.advance(STANDSTILL * jitter)  # what was held goes on at once
        if pace == "0":
            return "Standstill: images that are pulled from now on do not arrive."
        return f"Tasks that start from now on go at {PACES[pace]}."


def timings(speed: float) -> dict[str, float]:
    """How long things take where ECS seems to run at that speed; 0 holds every pull.

    The world's clock has one speed for good, so what is changed is how long things take on it.
    """
    usual = Timings()
    factor = SPEED / speed if speed else 1.0
    named = [each.name for each in fields(Timings) if each.name != "jitter"]
    changed = {name: getattr(usual, name) * factor for name in named}
    return changed if speed else changed | {"pull": STANDSTILL}


def _one_of(
    known: list[str] | tuple[str, ...], arguments: Arguments, name: str, what: str = ""
) -> str:
    given = arguments.get(name, "")
    if given not in known:
        raise ValueError(f"There is no {what or name} {given!r}; choose {', '.join(known)}.")
    return given
