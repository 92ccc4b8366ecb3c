"""The room's templates: one environment, which escapes whatever it is given."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("bot.playground.page"),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def template(name: str) -> Template:
    """The template of that file name in ``templates/``."""
    return _ENVIRONMENT.get_template(name)


def draw(name: str, /, **context: Any) -> Markup:
    """That template, drawn."""
    return Markup(template(name).render(**context))  # noqa: S704 - the environment escapes
