"""What changed on a page since it was last told: small pieces of HTML, each under an id of its own.

A page is a few containers (the channel list, the messages, the services, ...), each with elements
in order. The server remembers which version of each element a page has, and sends the others.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from markupsafe import Markup

#: An element's id, unique on the page, and its HTML.
Element = tuple[str, Markup]
#: Container id -> its elements in order.
Scene = Mapping[str, Sequence[Element]]

#: Pages remembered; an older one that comes back is told everything anew.
PAGES = 64


@dataclass(slots=True)
class _Sent:
    """What a page was sent: container id -> element id -> version, in order."""

    turn: int = 0
    number: int = 0
    containers: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """One question of a page for news.

    ``turn`` grows with each question. ``known`` is the number of the news that it applied last:
    where another one was sent since, that answer got lost, and the page is told everything anew.
    """

    page: str
    turn: int
    known: int


class Pages:
    """What each open page was sent. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pages: OrderedDict[str, _Sent] = OrderedDict()

    def news(self, asking: Asking, scene: Scene) -> dict[str, Any] | None:
        """What makes the page show ``scene``: its ``number`` and the ``changes`` by container id,
        each with the ``order`` and the new ``html`` by element id.

        ``changes`` is empty where the page shows it already; ``None`` where the page has asked
        again since, so that nobody waits for this answer.
        """
        with self._lock:
            sent = self._pages.get(asking.page)
            if sent is not None and asking.turn < sent.turn:
                return None
            if sent is None or sent.number != asking.known:
                sent = _Sent(number=sent.number if sent else asking.known)
            sent.turn = asking.turn
            self._pages[asking.page] = sent
            self._pages.move_to_end(asking.page)
            while len(self._pages) > PAGES:
                self._pages.popitem(last=False)
            changes = {
                container: change
                for container, elements in scene.items()
                if (change := _change(sent.containers, container, elements)) is not None
            }
            if changes:
                sent.number += 1
            return {"number": sent.number, "changes": changes}


def _change(
    containers: dict[str, dict[str, str]], name: str, elements: Sequence[Element]
) -> dict[str, Any] | None:
    before = containers.get(name, {})
    now = {key: _version(html) for key, html in elements}
    if list(now.items()) == list(before.items()) and name in containers:
        return None
    containers[name] = now
    fresh = {key: str(html) for key, html in elements if before.get(key) != now[key]}
    return {"order": list(now), "html": fresh}


def _version(html: str) -> str:
    return hashlib.blake2b(html.encode(), digest_size=8).hexdigest()
