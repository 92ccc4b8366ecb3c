"""Another value in place of ours: spliced into the text, then proven by parsing it again."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from ruamel.yaml.events import Event

from bot.model.errors import Misconfigured
from bot.model.places import Manifests
from bot.providers.manifests.parsed import Parsed, parse, unsuitable
from bot.providers.manifests.site import Site, find, is_text
from bot.providers.manifests.values import fits

_LINES_AROUND = 3
MASK = "***"
_NAMES = (
    "name|newName|newTag|digest|repository|registry|image|tag|kind|apiVersion|namespace"
    "|replicas|replicaCount|count|imagePullPolicy|pullPolicy|containerPort|port"
)
#: A line without a value, one with a value that names something, or a comment.
_PLAIN = re.compile(rf"\s*(?:#.*|---|(?:- )*(?:[\w./-]+:|(?:{_NAMES}):\s[^{{\[]*)(?:\s+#.*)?)?")
_BEGINS = re.compile(r"\s*(?:- )*(?:[\w./-]+:\s+)?")


def decoded(file: str, content: bytes) -> str:
    """A file's text; its BOM and line endings stay in it. Raises ``Misconfigured``."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unsuitable(file, line, "it is no text in UTF-8", "Save it as UTF-8.") from None


def change(manifests: Manifests, text: str, value: str) -> str:
    """The file with that value in place of ours. Raises ``Misconfigured``."""
    before = parse(manifests.file, text)
    site = find(manifests, before)
    if site.value == value:
        return text
    if not fits(site.holds, value):
        raise Misconfigured(
            f"{site.file}, line {site.line}: {value[:120]!r} cannot stand there, it is no "
            f"{site.holds}.",
            reason_code="MANIFEST_UNSUITABLE",
            hint="The form in which this target's image is written has changed since.",
        )
    quote = site.quote or ("" if is_text(value) else '"')
    after = parse(manifests.file, f"{text[: site.start]}{quote}{value}{quote}{text[site.end :]}")
    _prove(manifests, before, after, site, value)
    return after.text


def diff(file: str, before: str, after: str) -> str:
    """A unified diff for people: line endings and a BOM are not shown.

    Of the lines around the change, only such as name things are shown whole: values may be secret.
    """
    lines = difflib.unified_diff(
        list(_shown(before)),
        list(_shown(after)),
        f"a/{file}",
        f"b/{file}",
        lineterm="",
        n=_LINES_AROUND,
    )
    return "\n".join(_masked(line) if line.startswith(" ") else line for line in lines)


def _masked(line: str) -> str:
    known = _PLAIN.fullmatch(line)
    if known is not None:
        return line
    begins = _BEGINS.match(line)
    return f"{begins[0] if begins is not None else ' '}{MASK}"


def _shown(text: str) -> Iterator[str]:
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    return (line.removesuffix("\r") for line in lines)


def _prove(manifests: Manifests, before: Parsed, after: Parsed, site: Site, value: str) -> None:
    """Raises ``Misconfigured`` unless our scalar, and nothing but it, has another value now."""
    found = find(manifests, after)
    others = zip(before.events, after.events, strict=False)
    same = len(before.events) == len(after.events) and all(
        index == site.event or said(old) == said(new) for index, (old, new) in enumerate(others)
    )
    if not same or (found.event, found.value) != (site.event, value):
        raise unproven(site.file, site.line)


def unproven(file: str, line: int) -> Misconfigured:
    """The refusal of a change that would be more than one."""
    what = "the value cannot be changed without a change to something else"
    return unsuitable(file, line, what)


def said(event: Event) -> tuple[object, ...]:
    """What an event of the parser says, without where it stands."""
    named = ("anchor", "tag", "implicit", "style", "flow_style", "value")
    return (type(event), *(getattr(event, name, None) for name in named))
