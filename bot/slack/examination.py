"""What ``doctor`` says about Slack: the token, whose it is, and the scopes it lacks."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk import WebClient

from bot.model.rollout import Finding, Grade
from bot.slack.calls import read

#: What the bot calls, and what each scope is for. ``app-manifest.yml`` asks for exactly these.
SCOPES = {
    "app_mentions:read": "commands as mentions, also in threads",
    "channels:history": "finding a card again after an answer of Slack was lost",
    "chat:write": "cards and replies",
    "commands": "/deploy and /rollback",
    "files:write": "charts of canaries; without it their words stand alone",
    "groups:history": "the same in private channels",
    "im:history": "commands in direct messages",
    "im:write": "a card whose channel is gone goes to the requester",
    "usergroups:read": "who is in the groups that the catalog names",
    "users:read": "names, guests and deactivated users",
}
#: What the bot can do without, and says so in the log.
SPARED = frozenset({"files:write"})


def examine_slack(client: WebClient) -> Iterator[Finding]:
    """Raises as ``calls.read`` does where Slack cannot be asked at all."""
    answer = read("auth.test", client.auth_test)
    yield Finding("Slack", Grade.OK, f"workspace {answer['team']}, as {answer['user']}")
    headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
    if "x-oauth-scopes" not in headers:
        advice = "Compare the app's scopes with app-manifest.yml."
        yield Finding("Slack scopes", Grade.WARNING, "Slack did not list them", advice)
        return
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",")}
    for scope in sorted(SCOPES.keys() - granted):
        advice = f"Add {scope} from app-manifest.yml and reinstall the app."
        grade = Grade.WARNING if scope in SPARED else Grade.ERROR
        yield Finding("Slack scopes", grade, f"missing {scope}: {SCOPES[scope]}", advice)
    if granted >= SCOPES.keys():
        yield Finding("Slack scopes", Grade.OK, f"all {len(SCOPES)} are granted")
