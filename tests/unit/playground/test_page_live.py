"""A page is told what changed, once; and everything anew where an answer of ours got lost."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from bot.playground.page.live import PAGES, Asking, Pages, Scene


def scene(**elements: str) -> Scene:
    return {"log": [(key, Markup(html)) for key, html in elements.items()]}  # noqa: S704 - our own letters


def ask(pages: Pages, shown: Scene, turn: int = 1, known: int = 0, page: str = "p") -> Any:
    return pages.news(Asking(page, turn, known), shown)


def test_what_a_page_has_is_not_sent_again() -> None:
    pages = Pages()
    first = ask(pages, scene(a="A", b="B"))
    assert first["changes"] == {"log": {"order": ["a", "b"], "html": {"a": "A", "b": "B"}}}
    assert ask(pages, scene(a="A", b="B"), 2, first["number"]) == {
        "number": first["number"],
        "changes": {},
    }
    second = ask(pages, scene(a="A", c="C", b="B!"), 3, first["number"])
    assert second["changes"] == {"log": {"order": ["a", "c", "b"], "html": {"c": "C", "b": "B!"}}}


def test_another_order_and_an_emptied_container_are_told() -> None:
    pages = Pages()
    number = ask(pages, scene(a="A", b="B"))["number"]
    moved = ask(pages, scene(b="B", a="A"), 2, number)
    assert moved["changes"] == {"log": {"order": ["b", "a"], "html": {}}}
    emptied = ask(pages, scene(), 3, moved["number"])
    assert emptied["changes"] == {"log": {"order": [], "html": {}}}


def test_a_page_that_lost_an_answer_is_told_everything() -> None:
    pages = Pages()
    ask(pages, scene(a="A"))
    again = ask(pages, scene(a="A"), 2, 0)
    assert again["changes"] == {"log": {"order": ["a"], "html": {"a": "A"}}}


def test_a_question_that_was_overtaken_is_not_answered() -> None:
    pages = Pages()
    ask(pages, scene(a="A"), 5)
    assert ask(pages, scene(b="B"), 4) is None


def test_a_page_that_was_forgotten_is_told_everything() -> None:
    pages = Pages()
    number = ask(pages, scene(a="A"))["number"]
    for other in range(PAGES):
        ask(pages, scene(a="A"), page=f"other-{other}")
    again = ask(pages, scene(a="A"), 2, number)
    assert again["changes"] == {"log": {"order": ["a"], "html": {"a": "A"}}}
