"""What ``doctor`` says about a target's manifests: each fault becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.places import Manifests
from bot.model.rollout import Finding, Grade
from bot.providers.git.content import Commit
from bot.providers.git.delivery import Delivery
from bot.providers.git.faults import Broken, Raced
from bot.providers.git.stand import Stand, stand_at

if TYPE_CHECKING:
    from bot.providers.git.pull_requests import PullRequests

_LATER = "Run doctor again; if it stays, look at the git host's status page."
#: A branch that nothing is pushed to: a dry push only asks.
_TRIAL = "quarterdeck/doctor"


@dataclass(frozen=True, slots=True)
class Examination:
    """One target's manifests. ``pull_requests`` makes the way by GitHub, where it is needed."""

    delivery: Delivery
    subject: str
    pull_requests: Callable[[Manifests], PullRequests]

    def findings(self) -> Iterator[Finding]:
        """Everything there is to say; at least one."""
        repository = self.delivery.repository
        try:
            tip = repository.fetch()
            stand = repository.steadily(lambda: stand_at(repository, self._manifests, tip))
        except QuarterdeckError as fault:
            yield self._fault(fault)
            return
        yield self._value(stand)
        checks: list[Callable[[Stand], Finding]] = [self._pushable]
        if self.delivery.access.signing_key is not None:
            checks.append(self._signable)
        if self._manifests.delivery == "pull_request":
            checks.append(self._answered)
        for check in checks:
            try:
                yield check(stand)
            except QuarterdeckError as fault:
                yield self._fault(fault)
            except Broken as broken:
                yield Finding(self.subject, Grade.ERROR, f"the clone is broken: {broken}", _LATER)

    @property
    def _manifests(self) -> Manifests:
        return self.delivery.manifests

    def _value(self, stand: Stand) -> Finding:
        site = stand.site
        found = f"{site.value} in line {site.line} of {site.file} at {stand.commit[:10]}"
        if "sha256:" in site.value:
            return Finding(self.subject, Grade.OK, found)
        advice = "The first deployment by Quarterdeck pins it."
        return Finding(self.subject, Grade.WARNING, f"{found}, not pinned by digest", advice)

    def _pushable(self, stand: Stand) -> Finding:
        direct = self._manifests.delivery == "direct"
        branch = self._manifests.branch if direct else _TRIAL
        with suppress(Raced):  # somebody pushed in this very moment, which we may do too
            self.delivery.repository.clone.push(stand.commit, branch, dry=True)
        return Finding(self.subject, Grade.OK, f"may push to {branch}, unless it is protected")

    def _signable(self, stand: Stand) -> Finding:
        content = self.delivery.repository.content
        who = self.delivery.access.committer
        at = int(self.delivery.clock.now().timestamp())
        # Nothing leads to this commit: git throws it away in time.
        content.commit(
            content.tree(stand.commit), Commit(stand.commit, who, who, at, "Trial.", signed=True)
        )
        return Finding(self.subject, Grade.OK, "commits can be signed")

    def _answered(self, _: Stand) -> Finding:
        pulls = self.pull_requests(self._manifests)
        pulls.github.find(pulls.place, _TRIAL)
        return Finding(self.subject, Grade.OK, "GitHub shows pull requests")

    def _fault(self, fault: QuarterdeckError) -> Finding:
        advice = fault.hint or ("" if isinstance(fault, Misconfigured) else _LATER)
        return Finding(self.subject, Grade.ERROR, fault.message.rstrip("."), advice)
