"""Versions that ran well on a target: the only ones a rollback is offered."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from bot.model.deployment import Image, Release, Target
from bot.store.tables import releases

#: Rows looked at for a few distinct images: the same image is often released more than once.
SEARCHED = 200


class ReleasesTable:
    """``Releases`` over one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, release: Release) -> None:
        """See ``Releases.add``: an older row of the same revision gives way to the new one."""
        at = release.target
        self._connection.execute(
            sa.delete(releases).where(
                releases.c.service == at.service,
                releases.c.environment == at.environment,
                releases.c.revision == release.revision,
            )
        )
        self._connection.execute(
            sa.insert(releases).values(
                service=at.service,
                environment=at.environment,
                revision=release.revision,
                image_repository=release.image.repository,
                image_digest=release.image.digest,
                image_ref=release.image.ref,
                deployment_id=release.deployment_id,
                since=release.since,
            )
        )

    def disown(self, target: Target, digest: str) -> None:
        """See ``Releases.disown``."""
        self._connection.execute(
            sa.delete(releases).where(
                releases.c.service == target.service,
                releases.c.environment == target.environment,
                releases.c.image_digest == digest,
            )
        )

    def known_good(self, target: Target, limit: int = 6) -> Sequence[Release]:
        """See ``Releases.known_good``."""
        query = (
            sa.select(releases)
            .where(
                releases.c.service == target.service,
                releases.c.environment == target.environment,
            )
            .order_by(releases.c.id.desc())
            .limit(SEARCHED)
        )
        newest: dict[str, Release] = {}
        for row in self._connection.execute(query):
            image = Image(row.image_repository, row.image_digest, row.image_ref)
            found = Release(target, row.revision, image, row.deployment_id, row.since)
            newest.setdefault(image.digest, found)
            if len(newest) == limit:
                break
        return list(newest.values())
