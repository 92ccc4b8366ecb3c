"""Says what pydantic found wrong with a catalog in words that fit the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails
from typing_extensions import override

from bot.model.catalog import Catalog
from bot.model.moments import format_duration, time_zones
from bot.model.part import MEANING, REMOTE
from bot.settings.document import Document, Where
from bot.settings.problems import Problem, did_you_mean, quoted

Explained = tuple[str, str]

_CREDENTIALS = re.compile(r"([A-Za-z+]+://[^/]*|[^/@]*:[^/@]*)@")


def explain(error: ValidationError, document: Document) -> Iterator[Problem]:
    """One problem for each of pydantic's errors, at its place in the document."""
    for details in error.errors(include_url=False):
        where: Where = details["loc"]
        at_key = details["type"] == "extra_forbidden"
        if where and where[-1] == "[key]":
            where, at_key = where[:-1], True
        message, suggestion = _WORDS.get(details["type"], _as_said)(details)
        if details["type"] == "missing":
            where = where[:-1]
        yield document.problem(where, message, suggestion, at_key=at_key)


class _FileSchema(GenerateJsonSchema):
    """Shows the defaults of durations as they are written in the file."""

    @override
    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


@lru_cache(maxsize=1)
def file_schema() -> dict[str, Any]:
    """The JSON Schema of the catalog as pydantic derives it, with the keys as in the file."""
    return Catalog.model_json_schema(by_alias=True, schema_generator=_FileSchema)


def _schema_at(where: Where) -> Mapping[str, Any]:
    """The part of the schema that describes the value at a path; empty where nothing does."""
    here = _resolved(file_schema())
    for part in where:
        below = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        # The keys of services, environments and policies are names: any name leads on.
        here = _resolved(below or next(iter(here.get("patternProperties", {}).values()), {}))
    return here


def _resolved(schema: object) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        return {}
    options = schema.get("anyOf", [])
    target = next((option for option in options if option.get("type") != "null"), schema)
    reference = target.get("$ref")
    return file_schema()["$defs"][reference.rsplit("/", 1)[-1]] if reference else target


def _missing(details: ErrorDetails) -> Explained:
    *above, key = details["loc"]
    about = _schema_at(tuple(above)).get("properties", {}).get(key, {})
    about = {**_resolved(about), **about}
    return f'"{key}" is missing', _sentence(about.get("description", ""))


def _extra(details: ErrorDetails) -> Explained:
    *above, key = details["loc"]
    allowed = _schema_at(tuple(above)).get("properties", {})
    return f"there is no key {quoted(key)} here", did_you_mean(key, allowed)


def _pattern(details: ErrorDetails) -> Explained:
    pattern = details["ctx"]["pattern"]
    meaning = MEANING.get(pattern, "in the form this key needs")
    if pattern == REMOTE and _CREDENTIALS.match(str(details["input"])):
        # Never quoted: what is told here stands in logs and in CI.
        return (
            "there are credentials in this git remote",
            "Take them out and renew them; GIT_TOKEN, GIT_SSH_KEY or a GitHub App give them.",
        )
    return f"{quoted(details['input'])} is not {meaning}", ""


def _literal(details: ErrorDetails) -> Explained:
    given, expected = details["input"], details["ctx"]["expected"].replace("'", '"')
    return f"{quoted(given)} is not {expected}", did_you_mean(str(given), expected.split('"')[1::2])


def _wanted(kind: str) -> Callable[[ErrorDetails], Explained]:
    def words(details: ErrorDetails) -> Explained:
        given = details["input"]
        if isinstance(given, list):
            found = "this is a list"
        elif isinstance(given, dict):
            found = "this is a mapping"
        elif given is None:
            found = "this is empty"
        else:
            found = f"{quoted(str(given).lower() if isinstance(given, bool) else given)} is not"
        return f"{found}, but {kind} is needed here".replace("is not, but", "stands here, but"), ""

    return words


def _text(details: ErrorDetails) -> Explained:
    message, _ = _wanted("text")(details)
    quotes = isinstance(details["input"], bool)
    return message, "Put it in quotes if it is meant as text." if quotes else ""


def _time_zone(details: ErrorDetails) -> Explained:
    given = details["input"]
    return f"{quoted(given)}: {details['msg']}", did_you_mean(given, time_zones())


def _as_said(details: ErrorDetails) -> Explained:
    message = details["msg"].removeprefix("Input ").removeprefix("String ")
    return (f"it {message}" if message.startswith("should ") else message), ""


def _sentence(text: str) -> str:
    first = text.split("\n", 1)[0].replace("``", '"')
    return f"{first[:1].upper()}{first[1:].rstrip('.')}." if first else ""


_WORDS: dict[str, Callable[[ErrorDetails], Explained]] = {
    "missing": _missing,
    "extra_forbidden": _extra,
    "string_pattern_mismatch": _pattern,
    "literal_error": _literal,
    "model_type": _wanted("a mapping"),
    "model_attributes_type": _wanted("a mapping"),
    "dict_type": _wanted("a mapping"),
    "tuple_type": _wanted("a list"),
    "string_type": _text,
    "int_type": _wanted("a whole number"),
    "int_parsing": _wanted("a whole number"),
    "int_from_float": _wanted("a whole number"),
    "bool_type": _wanted("true or false"),
    "time_zone": _time_zone,
}
