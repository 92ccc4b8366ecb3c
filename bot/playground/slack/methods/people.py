"""``auth.test``, ``users.*`` and ``usergroups.*``."""

from __future__ import annotations

from bot.playground.slack.methods.chat import Answer, Args, flag
from bot.playground.slack.methods.conversations import LARGEST_PAGE, page
from bot.playground.slack.records import APP, BOT, BOT_NAME, BOT_USER, DOMAIN, TEAM
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.state import State


def auth_test(_workspace: State, _args: Args) -> Answer:
    """``auth.test``: whose token it is."""
    return {
        "url": f"https://{DOMAIN}.slack.com/",
        "team": "Stand-in",
        "user": BOT_NAME,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "app_id": APP,
        "is_enterprise_install": False,
    }


def info(workspace: State, args: Args) -> Answer:
    """``users.info``."""
    identity = str(args.get("user", ""))
    if identity not in workspace.people:
        raise SlackRefusal("user_not_found")
    return {"user": workspace.people[identity].json()}


def list_users(workspace: State, args: Args) -> Answer:
    """``users.list``."""
    shown, cursor = page(sorted(workspace.people), args, default=LARGEST_PAGE)
    return {
        "members": [workspace.people[each].json() for each in shown],
        "cache_ts": int(workspace.clock()),
        "response_metadata": {"next_cursor": cursor},
    }


def list_groups(workspace: State, args: Args) -> Answer:
    """``usergroups.list``."""
    disabled, with_users = flag(args, "include_disabled"), flag(args, "include_users")
    groups = [each for each in workspace.groups.values() if disabled or not each.disabled]
    return {"usergroups": [each.json(with_users=with_users) for each in groups]}


def group_members(workspace: State, args: Args) -> Answer:
    """``usergroups.users.list``."""
    group = workspace.groups.get(str(args.get("usergroup", "")))
    if group is None or (group.disabled and not flag(args, "include_disabled")):
        raise SlackRefusal("no_such_subteam")
    return {"users": list(group.members)}
