"""Reads ``quarterdeck.yaml`` and hands out a ``Catalog`` that is whole, or all its problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.commands.grammar import RESERVED
from bot.model.catalog import Catalog
from bot.settings.document import Document, Stamp, Unreadable, parse, read_text
from bot.settings.explain import explain, file_schema
from bot.settings.problems import CatalogProblems, Problem
from bot.settings.references import check_whole

SCHEMA_FILE = "quarterdeck.schema.json"


def load(path: Path, *, reserved: frozenset[str] = RESERVED) -> Catalog:
    """Read and check a catalog. Raises ``CatalogProblems`` with everything that is wrong."""
    catalog, _ = load_stamped(path, reserved=reserved)
    return catalog


def load_stamped(path: Path, *, reserved: frozenset[str] = RESERVED) -> tuple[Catalog, Stamp]:
    """As ``load``, with the stamp of the very file that was read."""
    try:
        text, stamp = read_text(path)
        document = parse(str(path), text)
    except Unreadable as unreadable:
        raise CatalogProblems([unreadable.problem]) from None
    return _catalog(document, reserved), stamp


def check(path: Path) -> tuple[int, str]:
    """What ``quarterdeck check`` prints, and its exit code: 0, or 2 with every problem."""
    try:
        catalog = load(path)
    except CatalogProblems as broken:
        return 2, str(broken)
    counts = (
        f"{len(part)} {one if len(part) == 1 else many}"
        for part, one, many in (
            (catalog.services, "service", "services"),
            (catalog.environments, "environment", "environments"),
            (catalog.targets, "target", "targets"),
            (catalog.policies, "policy", "policies"),
        )
    )
    return 0, f"{path}: {', '.join(counts)}. No problems."


def json_schema() -> dict[str, Any]:
    """The catalog's JSON Schema, for editors; ``quarterdeck.schema.json`` is its copy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quarterdeck catalog",
        **{key: value for key, value in file_schema().items() if key != "title"},
    }


def _catalog(document: Document, reserved: frozenset[str]) -> Catalog:
    problems = list(document.problems)
    broken = {problem.path for problem in problems}
    catalog = None
    found: list[Problem] = []
    if document.root is None and broken:
        raise CatalogProblems(problems)
    try:
        catalog = Catalog.model_validate(document.root)
    except ValidationError as error:
        found += explain(error, document)
    found += check_whole(document, reserved)
    # What could not be read is told once, and not again as missing or of the wrong kind.
    problems += [problem for problem in found if problem.path not in broken]
    if problems or catalog is None:
        raise CatalogProblems(problems)
    return catalog
