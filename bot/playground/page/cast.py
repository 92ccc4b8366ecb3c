"""Whom one can be on the page, and what they are to the bot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody of the workspace, with what they are to the bot."""

    name: str
    title: str


CAST = (
    Role("alice", "engineer"),
    Role("bob", "approver"),
    Role("carol", "approver"),
    Role("iris", "incident responder"),
    Role("gus", "guest"),
    Role("sven", "outsider"),
)
