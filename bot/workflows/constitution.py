"""Records under which catalog decisions are made: who may do what is itself a fact to be proven."""

from __future__ import annotations

import hashlib

from bot.model.catalog import Catalog
from bot.model.deployment import SYSTEM, AuditEntry
from bot.workflows.parts import Parts

ACTION = "catalog.in_force"


class Constitution:
    """Notices that the catalog has changed, whoever edited the file, and writes that down."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._recorded: Catalog | None = None

    def record(self) -> bool:
        """One row for each catalog that comes into force; returns whether one was written.

        Replicas read the same file: whoever comes second finds the row. Raises ``Unreachable``.
        """
        catalog = self._parts.catalog()
        if catalog is self._recorded:
            return False
        digest = fingerprint(catalog)
        with self._parts.store.begin() as tx:
            newest = tx.audit.search(limit=1, action=ACTION)
            fresh = not newest or newest[0].entry.detail.get("sha256") != digest
            if fresh:
                tx.audit.append(AuditEntry(SYSTEM, ACTION, "done", detail={"sha256": digest}))
        self._recorded = catalog
        return fresh


def fingerprint(catalog: Catalog) -> str:
    """Hex SHA-256 of what the catalog means; comments and order of keys do not count."""
    return hashlib.sha256(catalog.model_dump_json(by_alias=True).encode()).hexdigest()
