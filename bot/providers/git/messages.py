"""The commit message: some lines for people, then trailers for machines.

What people typed becomes one printable line each, and never stands in the last paragraph but as a
value: nobody can write a trailer by way of a name or a reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from bot.model.deployment import Person
from bot.model.rollout import Order

DEPLOYMENT_ID = "Deployment-Id"
_SUBJECT, _WIDTH, _REASON, _NAME = 72, 72, 1000, 80


def subject(order: Order, what: str) -> str:
    """The first line, for people. ``what`` is what is deployed, such as ``apps/web``."""
    version = printable(order.image.name, _NAME)
    if order.undoes:
        return _cut(f"Take {printable(what, _NAME)} back to {version}", _SUBJECT)
    if order.revision is None:
        return _cut(f"Deploy {version} to {printable(what, _NAME)}", _SUBJECT)
    return _cut(f"Roll {printable(what, _NAME)} back to {version}", _SUBJECT)


def message(order: Order, first: str) -> str:
    """The whole commit message; ``first`` is its first line."""
    paragraphs = [first]
    if order.reason.strip():
        reason = textwrap.wrap(
            f'Reason: "{printable(order.reason, _REASON)}"', _WIDTH, break_on_hyphens=False
        )
        # Two lines that look like trailers are none in the middle of a message.
        paragraphs.append("\n".join(reason))
    paragraphs.append("\n".join(f"{key}: {value}" for key, value in trailers(order)))
    return "\n\n".join(paragraphs) + "\n"


def trailers(order: Order) -> Iterator[tuple[str, str]]:
    """The lines for machines."""
    yield DEPLOYMENT_ID, printable(order.deployment_id, _NAME)
    yield "Requested-By", signature(order.requester)
    for approver in order.approvers:
        yield "Approved-By", signature(approver)
    if order.image.digest:  # what stood there before a canary may not have been pinned
        yield "Image-Digest", order.image.digest


def signature(person: Person) -> str:
    """A person as git names one; Slack tells no address, so it is made of the id."""
    return f"{name_of(person)} <{address_of(person)}>"


def name_of(person: Person) -> str:
    """A name that git accepts: something is left of it without what git strips."""
    name = "".join(" " if c in "<>" else c for c in printable(person.name, _NAME))
    name = " ".join(name.split())
    return name if any(c.isalnum() for c in name) else f"user {_word(person.id)}"


def address_of(person: Person) -> str:
    """An address that reaches nobody and names the person for good."""
    return f"{_word(person.id)}@slack.invalid"


def printable(text: str, longest: int) -> str:
    """One line without control characters or such as change the direction of writing."""
    return _cut(" ".join("".join(c if c.isprintable() else " " for c in text).split()), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _word(text: str) -> str:
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in "-_")) or "unknown"
