"""What every step of the tour is told with: act as a person, find the card, see that it is so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.model.deployment import TERMINAL, Status
from bot.playground.slack.crew import DEPLOYMENTS
from bot.playground.slack.person import Did, Person
from bot.playground.slack.records import Message
from bot.playground.terminal.screen import Screen
from bot.playground.tour import fleet
from bot.playground.tour.cluster import REPOSITORY
from bot.playground.tour.stage import Stage
from bot.playground.tour.visitors import front_of
from bot.slack.views.states import words

#: Real seconds within which anything in the tour must happen.
PATIENCE = 60.0
_CARD = ":card"


class StepFailed(Exception):
    """Something did not end as it should; the message says what."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One stage with one screen."""

    stage: Stage
    screen: Screen

    # Acting

    def person(self, name: str) -> Person:
        """Somebody of the demo's crew."""
        return self.stage.slack.person(name)

    def deploy(self, who: str, text: str) -> str:
        """``/deploy`` by somebody; returns the id of the deployment that it made."""
        return self.command(who, "/deploy", text)

    def command(self, who: str, name: str, text: str) -> str:
        """A command that makes a deployment; returns that deployment's id."""
        before = set(self._cards())
        self.say(who, name, text)
        made = self.wait(
            lambda: [each for each in self._cards() if each not in before],
            f"a card in #deploys for {name} {text}",
        )
        return str(made[0])

    def say(self, who: str, name: str, text: str) -> Did:
        """A command, with what the bot answers to it at once."""
        self.screen.said(who, "deployments", f"{name} {text}")
        did = self.person(who).command(name, text, channel=DEPLOYMENTS)
        self.fine(did, f"{name} {text}")
        for said in did.said:
            self.screen.message(said)
        return did

    def press(self, who: str, deployment: str, button: str) -> Did:
        """Press a button of a card, confirming what is asked."""
        self.screen.said(who, "deployments", f"presses [{button}] on {deployment}")
        did = self.person(who).click(self.card(deployment), button)
        self.fine(did, f"[{button}]")
        if did.confirm:
            self.screen.note(f"    asked first: {did.confirm}")
        return did

    def refused(self, who: str, deployment: str, button: str, code: str) -> None:
        """A press that must be refused, privately, with that reason code."""
        person = self.person(who)
        before = len(person.told())
        self.press(who, deployment, button)
        self.wait(lambda: person.told()[before:], f"a private answer to {who}")
        answer = person.told()[-1]
        self.screen.message(answer)
        said = f"{answer.text} {answer.blocks}"
        self.so(code in said, f"{who} was refused privately: {code}")

    def fine(self, did: Did, what: str) -> None:
        """The bot acknowledged in time."""
        if did.error:
            raise StepFailed(f"{what}: Slack shows {did.error!r}.")

    # Looking

    def _cards(self) -> dict[str, Message]:
        shown = self.stage.slack.messages(DEPLOYMENTS)
        return {each.key.removesuffix(_CARD): each for each in shown if each.key.endswith(_CARD)}

    def card(self, deployment: str) -> Message:
        """The deployment's card as it stands; there must be exactly one."""
        shown = self.stage.slack.messages(DEPLOYMENTS)
        found = [each for each in shown if each.key == f"{deployment}{_CARD}"]
        if len(found) != 1:
            raise StepFailed(f"There are {len(found)} cards of {deployment}, not one.")
        return found[0]

    def wait(self, true: Callable[[], Any], what: str) -> Any:
        """Until it is so; ``StepFailed`` after a while, or at once when the bot has died."""

        def looked() -> Any:
            if not self.stage.bot.alive:
                raise StepFailed(f"The bot died while the tour waited for {what}.")
            return true()

        try:
            return self.stage.slack.until(looked, PATIENCE, what)
        except TimeoutError as late:
            raise StepFailed(f"{late}.") from None

    def shows(self, deployment: str, *states: Status) -> Message:
        """Wait until the card shows one of these states; draw it, with the thread once settled."""
        wanted = tuple(f": {words(each)}" for each in states)
        card: Message = self.wait(
            lambda: self._if_titled(deployment, wanted),
            f"{deployment} to be {' or '.join(map(words, states))}",
        )
        settled = _title(card).endswith(tuple(f": {words(each)}" for each in TERMINAL))
        thread = self.stage.slack.thread(card.channel, card.ts) if settled else []
        self.screen.message(card, thread)
        return card

    def says(self, deployment: str, words_on_it: str) -> None:
        """Wait until the card holds these words."""
        self.wait(
            lambda: words_on_it in str(self.card(deployment).blocks),
            f"{deployment} to say {words_on_it!r}",
        )
        self.so(self.card(deployment), f"the card of {deployment} says {words_on_it!r}")

    def _if_titled(self, deployment: str, endings: tuple[str, ...]) -> Message | None:
        card = self._cards().get(deployment)
        return card if card is not None and _title(card).endswith(endings) else None

    def ends(self, deployment: str, end: Status) -> None:
        """Draw the card while it runs, then in its end, which must be this one."""
        if _title(self.shows(deployment, Status.RUNNING, *TERMINAL)).endswith(
            f": {words(Status.RUNNING)}"
        ):
            self.shows(deployment, *TERMINAL)
        title = _title(self.card(deployment))
        self.so(
            title.endswith(f": {words(end)}"), f"{deployment} is {words(end)}, and the card says so"
        )

    def so(self, true: object, sentence: str) -> None:
        """Something that must hold."""
        if not true:
            raise StepFailed(f"This is not so: {sentence}.")
        self.screen.good(sentence)

    def runs(self, service: str, environment: str, tag: str) -> None:
        """Only that version runs there, at full size."""
        wanted = fleet.image_of(self.stage.aws, service, tag).digest
        if service in fleet.ON_ECS:
            where, found = "ECS", fleet.running(self.stage.aws, service, environment)
        else:
            where, found = "The cluster", self.stage.cluster.running(service, environment)
        self.so(found == {wanted}, f"{where} runs only {service} {tag} in {environment}")

    def committed(self, service: str, environment: str, times: int) -> None:
        """The bot has made so many commits for a service in the cluster, and not more."""
        found = self.stage.cluster.told(service, environment)
        for entry in self.stage.cluster.git.log(REPOSITORY, limit=times):
            self.screen.note(f"    {entry.hash[:7]} {entry.subject} ({entry.author})")
        self.so(found == times, f"git has {times} commits of the bot for {service} {environment}")

    def weighs(self, service: str, environment: str, shares: tuple[int, int]) -> None:
        """Wait until the rule before the service sends so much to each version, stable first."""
        stable, canary = shares
        front = front_of(self.stage.visited, service, environment)
        wanted = {front.stable: stable, front.canary: canary}
        self.wait(
            lambda: self.stage.aws.balancers.weights(front.rule) == wanted,
            f"the weights of {service} in {environment} to be {stable}:{canary}",
        )
        self.screen.good(f"the load balancer sends {canary}% to the canary")

    def told_ecs(self, service: str, environment: str, times: int) -> None:
        """ECS was told so often to change that service, and not more."""
        found = fleet.told(self.stage.aws, service, environment)
        often = {0: "was not told", 1: "was told once"}.get(times, f"was told {times} times")
        self.so(found == times, f"ECS {often} to change {service} in {environment}")


def _title(card: Message) -> str:
    return str(card.blocks[0]["text"]["text"]) if card.blocks else card.text
