"""What people type and open: slash commands, mentions, direct messages, App Home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.commands.model import ShowQueue
from bot.model.catalog import Policy
from bot.model.deployment import Deployment, Requester, Status
from bot.model.reply import DeploymentList
from bot.slack.answers import Answers, explain
from bot.slack.edge import Edge
from bot.slack.errands import Errands
from bot.slack.requests import Asked, by_event, by_slash
from bot.slack.views import home
from bot.slack.views.replies import draw


@dataclass(frozen=True, slots=True)
class Listeners:
    """Each is given to Bolt as it is; Bolt fills in ``ack`` and ``body``."""

    edge: Edge
    answers: Answers
    errands: Errands

    def slash(self, ack: Ack, body: dict[str, Any]) -> None:
        """``/deploy``, ``/rollback`` and ``/canary``."""
        asked = by_slash(body)
        slash, text = str(body["command"]), str(body.get("text") or "")
        self.answers.to_slash(ack, asked, lambda: self.errands.run_typed(slash, text, asked))

    def mention(self, ack: Ack, body: dict[str, Any]) -> None:
        """``@quarterdeck deploy backend staging``, also in threads."""
        event = body["event"]
        if _by_nobody(event) or str(event.get("channel", "")).startswith("D"):
            ack()  # a mention in a direct message also arrives as a message
            return
        self._said(ack, body, self._after_mention(str(event.get("text") or "")))

    def direct_message(self, ack: Ack, body: dict[str, Any]) -> None:
        """The same grammar without a mention. Edits, joins and bots' messages say nothing."""
        event = body["event"]
        if event.get("channel_type") != "im" or event.get("subtype") or event.get("bot_id"):
            ack()
            return
        if _by_nobody(event):
            ack()
            return
        self._said(ack, body, self._after_mention(str(event.get("text") or "")))

    def home_opened(self, ack: Ack, body: dict[str, Any]) -> None:
        """Draws the reader's Home anew each time it is opened."""
        if body["event"].get("tab") != "home":
            ack()
            return
        asked = by_event(body)
        ack()
        self.answers.afterwards(asked, lambda: self._publish_home(asked))

    def user_changed(self, ack: Ack, body: dict[str, Any]) -> None:
        """Somebody was renamed, deactivated or made a guest."""
        self.edge.people.forget(str(body["event"]["user"]["id"]))
        ack()

    def groups_changed(self, ack: Ack) -> None:
        """Somebody joined or left a user group."""
        self.edge.people.forget_groups()
        ack()

    def _said(self, ack: Ack, body: dict[str, Any], text: str) -> None:
        asked = by_event(body)
        self.answers.privately(ack, asked, lambda: self.errands.run_said(text, asked))

    def _after_mention(self, text: str) -> str:
        mention = f"<@{self.edge.settings.home.bot_user_id}>"
        _, found, rest = text.partition(mention)
        return rest if found else text

    def _publish_home(self, asked: Asked) -> None:
        future = self.edge.bench.inline(lambda: self._look_at_desk(asked))
        fault = future.exception()
        view = future.result() if fault is None else home.home_notice(explain(fault, asked.id))
        self.edge.desk.publish_home(asked.place.user, view)

    def _look_at_desk(self, asked: Asked) -> View:
        requester = self.edge.people.requester(asked.place.user, "", asked.team)
        reply = self.edge.intake.submit(ShowQueue(), requester, asked.id)
        if not isinstance(reply, DeploymentList):
            return home.home_notice(draw(reply, self.edge.clock.now()))
        catalog = self.edge.catalog()
        mine = [
            one
            for one in reply.deployments
            if one.status is Status.AWAITING_APPROVAL
            and catalog.spec(one.target) is not None
            and may_approve(catalog.policy_of(one.target), requester, one)
        ]
        desk = home.Desk(tuple(mine), reply.deployments, reply.canaries)
        return home.home(desk, self.edge.clock.now())


def may_approve(policy: Policy, requester: Requester, one: Deployment) -> bool:
    """Whether it is worth showing as waiting for this person; the vote itself is judged anew."""
    if one.requester.id == requester.person.id and not policy.self_approval:
        return False
    who = policy.approvers
    return bool(
        who.everyone or requester.person.id in who.users or requester.groups & set(who.groups)
    )


def _by_nobody(event: Mapping[str, Any]) -> bool:
    return not event.get("user")
