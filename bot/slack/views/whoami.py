"""What Quarterdeck knows about the person asking."""

from __future__ import annotations

from bot.model.reply import WhoAmI
from bot.slack.views.message import Message, message, paragraphs, section
from bot.slack.views.text import escaped, person


def whoami(reply: WhoAmI) -> Message:
    """Who, in which groups, and what they may do where. Groups as ids: nobody is mentioned."""
    known = f"{escaped(reply.person.name, 80)} ({escaped(reply.person.id, 30)})"
    groups = ", ".join(escaped(one, 30) for one in reply.groups) or "no group that I can see"
    lines = [
        f"*{escaped(environment, 60)}* you may {escaped(verbs, 200)}"
        for environment, verbs in reply.may
    ]
    body = paragraphs(lines) or [section("You may not change anything.")]
    head = section(f"You are {person(reply.person)}, known as {known}.\nGroups: {groups}")
    return message(f"You are {known}.", [head, *body])
