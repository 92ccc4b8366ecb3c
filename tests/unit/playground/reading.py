"""How to read a drawing as a browser would, and what to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from typing_extensions import override

from bot.playground.page.mrkdwn import Names

NAMES = Names({"U1": "alice", "U2": "bob"}, {"S1": "captains"}, {"C1": "general"})
VOID = {"br", "hr", "img", "input"}
Block = dict[str, Any]


@dataclass
class Element:
    """One element as a browser would read it, with all the text within."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """What a browser makes of a drawing."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> says one thing twice: {names}"
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
        for each in self.open:
            each.text += data

    def all(self, tag: str, **wanted: str) -> list[Element]:
        named = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [
            each
            for each in self.elements
            if each.tag == tag and named.items() <= each.attributes.items()
        ]

    def one(self, tag: str, **wanted: str) -> Element:
        (found,) = self.all(tag, **wanted)
        return found


def read(html: str) -> Page:
    page = Page()
    page.feed(str(html))
    page.close()
    assert not page.open
    return page


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def marked(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}
