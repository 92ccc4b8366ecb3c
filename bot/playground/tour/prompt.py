"""The demo without a tour: type as the people of the workspace would."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from bot.playground.slack import forms
from bot.playground.slack.crew import DEPLOYMENTS
from bot.playground.slack.person import Did, Person
from bot.playground.slack.records import Message, View
from bot.playground.slack.refusal import CannotDo
from bot.playground.terminal.screen import Screen
from bot.playground.tour.fleet import BROKEN, NEW, OLD
from bot.playground.tour.stage import Stage

HELP = f"""\
You are in #deploys, as alice. Images: {OLD} runs, {NEW} is good, {BROKEN} crashes.
  /deploy backend staging       any command of the bot; /deploy help lists them
  @bob                          go on as bob (also @alice, @carol, @dave; gus is a guest, and
                                sven is of another company)
  @quarterdeck status           mention the bot
  3                             press the button with that number
  show                          draw every card again
  quit, or Ctrl-C               stop everything and leave nothing behind"""


#: Seconds in which a modal that was opened as a loading view is filled by the bot.
LOADS_WITHIN = 3.0


@dataclass(slots=True)
class Prompt:
    """Reads lines and does what they say; what changes in the channel is drawn by itself."""

    stage: Stage
    screen: Screen
    who: str = "alice"
    _over: threading.Event = field(default_factory=threading.Event)
    _drawing: threading.Lock = field(default_factory=threading.Lock)
    _drawn: dict[str, Message] = field(default_factory=dict)
    _buttons: list[tuple[Message | View, str]] = field(default_factory=list)

    def run(self) -> None:
        """Until ``quit`` or the end of the input; without a terminal, until interrupted."""
        self.screen.note(
            f"The bot listens on {self.stage.bot.url}; Slack is {self.stage.slack.url}"
        )
        self.screen.note(f"and AWS {self.stage.aws.serve()}. Its log: {self.stage.bot.log}")
        self.screen.console.print(HELP)
        watcher = threading.Thread(target=self._watch, name="prompt", daemon=True)
        watcher.start()
        try:
            for line in _lines():
                if line in {"quit", "exit"}:
                    return
                if line:
                    self._obey(line)
            if not sys.stdin.isatty():
                self._over.wait()
        finally:
            self._over.set()
            watcher.join()

    def _person(self) -> Person:
        return self.stage.slack.person(self.who)

    def _obey(self, line: str) -> None:
        try:
            self._act(line)
            while (view := self._topmost()) is not None:
                self._fill(view)
        except CannotDo as impossible:
            self.screen.bad(str(impossible))
        except KeyError as unknown:
            self.screen.bad(f"There is no {unknown}.")

    def _act(self, line: str) -> None:
        first, _, rest = line.partition(" ")
        if line == "help":
            self.screen.console.print(HELP)
        elif line == "show":
            self._show_all()
        elif first.startswith("/"):
            self._done(self._person().command(first, rest, channel=DEPLOYMENTS))
        elif first == "@quarterdeck":
            self._done(self._person().mention(DEPLOYMENTS, rest))
        elif first.startswith("@"):
            self.who = self.stage.slack.member(first).name
            self.screen.note(f"You are {self.who} now.")
        elif first.isdigit():
            self._press(int(first))
        else:
            self.screen.bad(f"Not understood: {first!r}. Type help.")

    def _done(self, did: Did) -> None:
        if did.confirm:
            self.screen.note(f"    asked first: {did.confirm}")
        if did.error:
            self.screen.bad(f"Slack shows: failed with the error {did.error!r}")
        for block, complaint in did.errors.items():
            self.screen.bad(f"{block}: {complaint}")

    def _press(self, number: int) -> None:
        if not 1 <= number <= len(self._buttons):
            raise CannotDo(f"there is no button {number}")
        source, action = self._buttons[number - 1]
        self._done(self._person().click(source, action))

    def _topmost(self) -> View | None:
        """The modal in front, once there is something to do in it: it may still be loading."""
        person = self._person()
        if not person.views():
            return None
        with suppress(TimeoutError):  # then it is a notice: it is drawn, and closed
            self.stage.slack.until(
                lambda: (open_ := person.views()) and _usable(open_[-1]), LOADS_WITHIN, "the modal"
            )
        return next(reversed(person.views()), None)

    def _fill(self, view: View) -> None:
        """Ask for each field of a modal in turn; an empty line keeps what stands there."""
        self.screen.view(view)
        if view.content.get("submit"):
            filled = dict(_answers(forms.fields(view), self._ask))
            if self._ask("Send it? [Y/n]").lower() != "n":
                did = self._person().submit(view, filled)
                self._done(did)
                if not did.error:
                    return
        elif menus := [each for each in forms.controls(view) if forms.is_menu(each)]:
            chosen = self._ask(f"{menus[0].label} ({forms.choices(menus[0])}):")
            if chosen:
                self._done(self._person().click(view, menus[0].action_id, option=chosen))
                self._wait_for_change(view)
                return
        self._person().close(view)

    def _wait_for_change(self, view: View) -> None:
        slack = self.stage.slack
        try:
            slack.until(lambda: slack.view(view.id) != view, LOADS_WITHIN, "the modal's answer")
        except TimeoutError as late:
            raise CannotDo(str(late)) from None

    def _ask(self, question: str) -> str:
        self.screen.console.print(f"  {question} ", end="")
        return sys.stdin.readline().strip()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self._draw_news()

    def _show_all(self) -> None:
        with self._drawing:
            self._drawn.clear()
            self._buttons.clear()
        self._draw_news()

    def _draw_news(self) -> None:
        slack = self.stage.slack
        public = slack.messages(DEPLOYMENTS)
        private = [each for who in slack.people for each in slack.ephemerals(who)]
        below = [each for message in public for each in slack.thread(DEPLOYMENTS, message.ts)]
        with self._drawing:
            for message in (*public, *below, *private):
                if self._drawn.get(message.ts) != message:
                    self._drawn[message.ts] = message
                    self._draw(message)

    def _draw(self, message: Message) -> None:
        self.screen.numbering.count = len(self._buttons)
        self._buttons += [(message, each.action_id) for each in forms.controls(message)]
        if message.thread_ts is None:
            self.screen.message(message)
        else:
            self.screen.reply(message)


def _usable(view: View) -> bool:
    return bool(view.content.get("submit") or forms.controls(view))


def _answers(
    fields: list[forms.Control], ask: Callable[[str], str]
) -> Iterator[tuple[str, str | list[str]]]:
    for each in fields:
        label = each.block.get("label", {}).get("text") or each.label
        offered = f" ({forms.choices(each)})" if forms.is_menu(each) else ""
        answer = ask(f"{label}{offered}:")
        if answer:
            several = forms.takes_many(each)
            yield (
                each.block["block_id"],
                [one.strip() for one in answer.split(",")] if several else answer,
            )


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        yield line.strip()
