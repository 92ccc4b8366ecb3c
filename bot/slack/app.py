"""The Bolt app: who is let in at all, and which listener hears what."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import structlog
from slack_bolt import Ack, App, BoltContext, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.commands.grammar import SLASHES
from bot.slack.actions import Actions
from bot.slack.answers import Answers
from bot.slack.edge import Edge
from bot.slack.errands import Errands
from bot.slack.execution import InlineExecutor
from bot.slack.forms import Forms
from bot.slack.listeners import Listeners
from bot.slack.people import Home
from bot.slack.views.ids import Form

log = structlog.get_logger(__name__)

FOREIGN = "Quarterdeck serves another workspace. Nothing was changed."


def make_app(edge: Edge) -> App:
    """Listeners for commands, mentions, messages, Home, clicks and forms, over HTTP or a socket.

    Bolt checks signatures and the replay window of five minutes. It is given no token and calls
    no API: the workspace is known from the one ``auth.test`` at start.
    """
    app = App(
        name="quarterdeck",
        client=WebClient(),
        signing_secret=edge.settings.signing_secret,
        authorize=lambda: _authorized(edge.settings.home),
        listener_executor=InlineExecutor(),
        logger=_bolt_logger(),
    )
    app.use(_only_from(edge.settings.home))
    app.error(_log_failure)
    _listen(app, edge)
    return app


def _listen(app: App, edge: Edge) -> None:
    answers = Answers(edge.bench, edge.desk)
    forms = Forms(edge, answers)
    errands = Errands(edge, forms)
    typed = Listeners(edge, answers, errands)
    clicked = Actions(answers, errands, forms)
    for slash in SLASHES:
        app.command(slash)(typed.slash)
    app.event("app_mention")(typed.mention)
    app.event("message")(typed.direct_message)
    app.event("app_home_opened")(typed.home_opened)
    app.event("user_change")(typed.user_changed)
    app.event("subteam_members_changed")(typed.groups_changed)
    app.event("subteam_updated")(typed.groups_changed)
    # Any id: buttons of older versions stay in old messages, and deserve an answer.
    app.action(re.compile("."))(clicked.clicked)
    for form in (Form.DEPLOY, Form.ROLLBACK, Form.REJECT):
        app.view(form.value)(forms.submitted)
    app.view_closed(re.compile("|".join(Form)))(_closed)


def _closed(ack: Ack) -> None:
    """A closed form changed nothing."""
    ack()


def _authorized(home: Home) -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id=home.enterprise_id or None,
        team_id=home.team_id,
        bot_user_id=home.bot_user_id,
        bot_id=home.bot_id,
    )


def _only_from(home: Home) -> Callable[..., BoltResponse | None]:
    """A request of another workspace is refused before anything is read from it."""

    def check(
        body: dict[str, Any], context: BoltContext, next_: Callable[[], BoltResponse]
    ) -> BoltResponse | None:
        # Bolt finds the workspace that the app is installed in, also in shared channels, where
        # the request may come from a person of another one: those are outsiders, see people.py.
        if home.includes(context.team_id or "", context.enterprise_id or ""):
            return next_()
        log.warning("foreign_workspace_refused", team=str(context.team_id)[:20])
        if "command" in body:
            said = {"response_type": "ephemeral", "text": FOREIGN}
            return BoltResponse(status=200, body=said)
        return BoltResponse(status=403, body={"error": "foreign workspace"})

    return check


def _log_failure(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """A payload that the listeners cannot read; what is asked in it is not logged."""
    log.error("listener_failed", kind=str(body.get("type", "command"))[:40], exc_info=error)
    return BoltResponse(status=500, body={"error": "internal"})


def _bolt_logger() -> logging.Logger:
    # Below ERROR Bolt logs whole bodies of requests that it refuses.
    logger = logging.getLogger("bot.slack.bolt")
    logger.setLevel(logging.ERROR)
    return logger
