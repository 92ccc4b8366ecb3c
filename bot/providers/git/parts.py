"""Several scalars on the branch, in one commit: read, and changed together or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.model.errors import Terminal
from bot.model.rollout import Order
from bot.providers.argocd.desired import Change
from bot.providers.git.content import Commit
from bot.providers.git.delivery import ATTEMPTS, Delivery, too_late
from bot.providers.git.faults import Raced
from bot.providers.git.messages import message, signature
from bot.providers.manifests import Spot, amended, decoded, parse, value_at


@dataclass(frozen=True, slots=True)
class Parts:
    """One repository's share of ``DesiredParts``."""

    delivery: Delivery

    def read(self, commit: str, spots: Iterable[Spot]) -> dict[Spot, str]:
        """What stands there at a commit."""
        return {
            spot: value_at(parse(file, text), spot)
            for file, (text, found) in self._texts(commit, spots).items()
            for spot in found
        }

    def write(self, order: Order, first: str, changes: Mapping[Spot, Change]) -> str:
        """One commit on the branch, or the newest one where all of it stands there already."""
        repository = self.delivery.repository
        with repository.turn():
            return repository.steadily(lambda: self._write(order, first, changes))

    def _write(self, order: Order, first: str, changes: Mapping[Spot, Change]) -> str:
        repository = self.delivery.repository
        for _ in range(ATTEMPTS):
            tip = repository.fetch()
            stands = self.read(tip, changes)
            if all(stands[spot] == change.value for spot, change in changes.items()):
                return tip
            for spot, change in changes.items():
                _unchanged(spot, stands[spot], change)
            commit = self._commit(tip, message(order, first), order, changes)
            try:
                self.delivery.push(commit)
            except Raced:
                continue
            return commit
        raise too_late(self.delivery.manifests)

    def _commit(self, tip: str, text: str, order: Order, changes: Mapping[Spot, Change]) -> str:
        content, delivery = self.delivery.repository.content, self.delivery
        files = {
            file: amended(file, before, {spot: changes[spot].value for spot in spots}).encode()
            for file, (before, spots) in self._texts(tip, changes).items()
        }
        what = Commit(
            parent=tip,
            author=signature(order.requester),
            committer=delivery.access.committer,
            at=int(delivery.clock.now().timestamp()),
            message=text,
            signed=delivery.access.signing_key is not None,
        )
        return content.commit(content.changed(tip, files), what)

    def _texts(self, commit: str, spots: Iterable[Spot]) -> dict[str, tuple[str, list[Spot]]]:
        content = self.delivery.repository.content
        by_file: dict[str, list[Spot]] = defaultdict(list)
        for spot in spots:
            by_file[spot.file].append(spot)
        return {
            file: (decoded(file, content.read(content.entry(commit, file), file)), found)
            for file, found in by_file.items()
        }


def _unchanged(spot: Spot, stands: str, change: Change) -> None:
    if not change.before or stands in {change.value, *change.before}:
        return
    expected = " or ".join(repr(each[:200]) for each in sorted(change.before))
    raise Terminal(
        f"{spot.file} says {stands[:200]!r} by now as {spot.what} of {spot.part or spot.name}, and "
        f"no longer {expected}: somebody changed it.",
        reason_code="STALE_FROM",
    )
