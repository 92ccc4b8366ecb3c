"""Bringing a value onto the branch by way of a pull request: found again by its head branch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.model.errors import Misconfigured, Terminal
from bot.model.rollout import Order
from bot.providers.argocd.desired import Landed
from bot.providers.git.access import Place, place_of
from bot.providers.git.delivery import Delivery, named
from bot.providers.git.faults import Raced
from bot.providers.git.github import GitHubApi, Proposal
from bot.providers.git.history import CLOCK_SLACK
from bot.providers.git.messages import printable, subject, trailers
from bot.providers.git.stand import stand_at

HANDLE = "pull/"
_EARLIER = timedelta(days=30)
#: How far back a pull request for the same deployment is looked for, where nobody says.
_LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PullRequests:
    """Pull requests in one repository."""

    delivery: Delivery
    github: GitHubApi

    @property
    def place(self) -> Place:
        """Where on GitHub the repository is."""
        return place_of(self.delivery.manifests.repository)

    def send(self, order: Order, value: str) -> str:
        """Open a pull request, unless there is one for this deployment; its handle."""
        sent = self.sent(order, self.delivery.clock.now() - _LATELY)
        if sent is not None:
            return sent
        repository = self.delivery.repository
        with repository.turn():
            repository.steadily(lambda: self._push(order, value))
        proposal = Proposal(
            title=subject(order, named(self.delivery.manifests)),
            body=_body(order, value),
            head=head_branch(order),
            base=self.delivery.manifests.branch,
        )
        return f"{HANDLE}{self.github.create(self.place, proposal).number}"

    def sent(self, order: Order, since: datetime) -> str | None:
        """The handle of the pull request for this deployment, if one was opened since then.

        Numbers of deployments come anew with a new database: an older one is of another one.
        """
        pull = self.github.find(self.place, head_branch(order))
        if pull is None or pull.created_at < since - CLOCK_SLACK:
            return None
        return f"{HANDLE}{pull.number}"

    def landed(self, handle: str) -> Landed:
        """What became of it."""
        number = handle.removeprefix(HANDLE)
        if not number.isdecimal():
            raise Misconfigured(f"{handle[:80]!r} is no pull request.")
        pull = self.github.get(self.place, int(number))
        if pull.merged_at is not None and pull.merge_commit_sha is not None:
            return Landed(commit=pull.merge_commit_sha)
        if pull.state == "closed":
            return Landed(lost=f"Pull request {number} was closed without a merge: {pull.html_url}")
        return Landed(waits=f"Pull request {number} waits for its merge: {pull.html_url}")

    def _push(self, order: Order, value: str) -> None:
        repository, branch = self.delivery.repository, head_branch(order)
        stand = stand_at(repository, self.delivery.manifests, repository.fetch())
        commit = self.delivery.commit(stand, order, value)
        try:
            repository.clone.push(commit, branch)
        except Raced:
            self._ours(order, branch, value)

    def _ours(self, order: Order, branch: str, value: str) -> None:
        """The branch is there: it has to be what an earlier call pushed."""
        repository = self.delivery.repository
        tip = repository.clone.fetch_branch(branch)
        since = self.delivery.clock.now() - _EARLIER
        made = tip and repository.history.commit_for(order.deployment_id, tip, since)
        if not made or stand_at(repository, self.delivery.manifests, made).site.value != value:
            raise Terminal(
                f"The branch {branch} is there, and it is none of Quarterdeck's for this.",
                reason_code="PUSH_REFUSED",
                hint="Delete it, and deploy again.",
            )


def head_branch(order: Order) -> str:
    """The branch a deployment's pull request comes from."""
    word = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in order.deployment_id
    )
    return f"quarterdeck/{word}"


def _body(order: Order, value: str) -> str:
    """Facts as code: a name that begins with @ notifies nobody."""
    facts = [*trailers(order), ("Value", value)]
    if order.reason.strip():
        facts.append(("Reason", printable(order.reason, 1000)))
    lines = [f"- {key}: `{text.replace('`', chr(39))}`" for key, text in facts]
    return "\n".join(["Quarterdeck deploys this once it is merged.", "", *lines])
