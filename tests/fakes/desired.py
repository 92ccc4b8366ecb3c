"""Git in memory, behind the Argo CD provider's port.

Each commit has a value and the one before it. ``write`` is somebody else's commit; ``hold`` makes
what is sent wait, as a pull request does, until ``merge`` or ``close``. ``break_next`` makes the
next calls of a verb fail. ``calls`` lists what was asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from typing_extensions import override

from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError, Terminal
from bot.model.places import Manifests
from bot.model.rollout import Finding, Order
from bot.providers.argocd.desired import (
    Author,
    DesiredState,
    Edit,
    Landed,
    Relation,
    Written,
)
from bot.providers.kube.workload import image_of


@dataclass(frozen=True)
class _Commit:
    hash: str
    parent: str
    value: str
    author: str
    deployment_id: str


class FakeDesired(DesiredState):
    """One branch of one file, which holds a tag unless ``whole`` images are written."""

    def __init__(self, value: str, *, whole: bool = False) -> None:
        self.calls: list[str] = []
        self.findings: list[Finding] = []
        self._whole = whole
        self._hold = False
        self._held: dict[str, tuple[Order, str]] = {}
        self._landed: dict[str, Landed] = {}
        self._commits: dict[str, _Commit] = {}
        self._faults: list[tuple[str, QuarterdeckError, bool]] = []
        self.tip = ""
        self.write(value, "alice")

    # --- what a test does to it ---

    def write(self, value: str, author: str = "dave", deployment_id: str = "") -> str:
        """A commit on the branch; returns its hash."""
        number = len(self._commits) + 1
        made = _Commit(f"{number:040x}", self.tip, value, author, deployment_id)
        self._commits[made.hash] = made
        self.tip = made.hash
        return made.hash

    def touch(self) -> str:
        """Somebody's commit that leaves our value alone."""
        return self.write(self._commits[self.tip].value)

    def hold(self) -> None:
        """What is sent from now on waits for people."""
        self._hold = True

    def merge(self, handle: str) -> str:
        """People took what waited; returns the commit."""
        order, value = self._held[handle]
        self._landed[handle] = Landed(self.write(value, "alice", order.deployment_id))
        return self._landed[handle].commit

    def close(self, handle: str) -> None:
        """People did not want it."""
        self._landed[handle] = Landed(lost="dave closed it.")

    def break_next(self, verb: str, *faults: QuarterdeckError, after: bool = False) -> None:
        """Raise these from the next calls of a verb; ``after``: once they took effect."""
        self._faults += [(verb, fault, after) for fault in faults]

    # --- the port ---

    @override
    def head(self, manifests: Manifests) -> Written:
        self._enter("head")
        return self._written(self.tip)

    @override
    def at(self, manifests: Manifests, commit: str) -> Written | None:
        self._enter("at")
        return self._written(commit) if commit in self._commits else None

    @override
    def edit(self, manifests: Manifests, image: Image) -> Edit:
        self._enter("edit")
        value = f"{image.ref}@{image.digest}"
        value = f"{image.repository}:{value}" if self._whole else value
        before = f"  newTag: {self._commits[self.tip].value}"
        lines = difflib.unified_diff([before], [f"  newTag: {value}"], lineterm="")
        return Edit(value, "\n".join(lines))

    @override
    def send(self, manifests: Manifests, order: Order, value: str) -> str:
        self._enter("send")
        found = self._find(order)
        if found is None:
            self._unchanged(order, value)
            found = self._bring(order, value)
        self._leave("send")
        return found

    @override
    def sent(self, manifests: Manifests, order: Order, since: datetime) -> str | None:
        self._enter("sent")
        return self._find(order)

    @override
    def landed(self, manifests: Manifests, handle: str) -> Landed:
        self._enter("landed")
        if handle in self._commits:
            return Landed(handle)
        return self._landed.get(handle, Landed(waits="It waits for a review."))

    @override
    def relation(self, manifests: Manifests, ours: str, other: str, value: str) -> Relation:
        self._enter("relation")
        if other not in self._commits:
            return Relation.UNKNOWN
        if ours not in self._ancestry(other):
            return Relation.WITHOUT
        if self._commits[other].value != value:
            return Relation.CHANGED
        return Relation.OURS if ours == other else Relation.CARRIES

    @override
    def changed_by(self, manifests: Manifests, commit: str) -> Author | None:
        self._enter("changed_by")
        value = self._commits[commit].value
        writer = commit
        for each in self._ancestry(commit):
            if self._commits[each].value != value:
                break
            writer = each
        made = self._commits[writer]
        return Author(made.author, writer, "another image", datetime(2026, 1, 1, tzinfo=UTC))

    @override
    def examine(self, manifests: Manifests, subject: str) -> Sequence[Finding]:
        self._enter("examine")
        return self.findings

    # --- how it works ---

    def commits(self) -> list[str]:
        """For whose deployment each commit is, oldest first."""
        return [each.deployment_id or each.author for each in self._commits.values()]

    def _written(self, commit: str) -> Written:
        value = self._commits[commit].value
        return Written(commit, value, 4, image_of(value) if self._whole else None)

    def _bring(self, order: Order, value: str) -> str:
        if not self._hold:
            return self.write(value, order.requester.name, order.deployment_id)
        handle = f"pull/{len(self._held) + 1}"
        self._held[handle] = (order, value)
        return handle

    def _find(self, order: Order) -> str | None:
        waiting = (each for each, (held, _) in self._held.items() if held == order)
        made = (c.hash for c in self._commits.values() if c.deployment_id == order.deployment_id)
        return next(waiting, None) or next(made, None)

    def _unchanged(self, order: Order, value: str) -> None:
        if order.revision is None and self._commits[self.tip].value not in {order.base, value}:
            raise Terminal("dave changed it meanwhile.", reason_code="STALE_FROM")

    def _ancestry(self, commit: str) -> list[str]:
        found = []
        while commit:
            found.append(commit)
            commit = self._commits[commit].parent
        return found

    def _enter(self, verb: str) -> None:
        self.calls.append(verb)
        self._break(verb, after=False)

    def _leave(self, verb: str) -> None:
        self._break(verb, after=True)

    def _break(self, verb: str, *, after: bool) -> None:
        for each in self._faults:
            if (each[0], each[2]) == (verb, after):
                self._faults.remove(each)
                raise each[1]
