"""What can go wrong between git and the cluster: the host, its branch, and Argo CD itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.playground.page.panels import Button, Panel
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.cluster import PLACES, REPOSITORY, Cluster, name

#: How the git host is, and what is said of it.
HOST = {
    "answers": "It answers; the bot may push.",
    "down": "Nobody reaches it.",
    "reading": "The bot's token may only read.",
    "protected": "main is protected: no push is let in.",
}
ARGO = {
    "follows": "It follows git.",
    "window": "A sync window is closed.",
    "manual": "Auto-sync is off.",
}


class GitLevers:
    """The levers of one cluster. Not safe to share between threads: ``Levers`` takes care."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._host, self._argo = "answers", "follows"
        self.pulls: Mapping[str, Callable[[Mapping[str, str]], str]] = {
            "git-host": self._turn_host,
            "argo": self._turn_argo,
        }

    def panels(self) -> list[Panel]:
        """How the two are, each with what else they could be."""
        return [
            Panel(
                "lever-git",
                "Git host",
                HOST[self._host],
                _buttons(
                    "git-host",
                    self._host,
                    {
                        "down": "Take down",
                        "reading": "Read-only",
                        "protected": "Protect main",
                    },
                ),
                self._host != "answers",
            ),
            Panel(
                "lever-argo",
                "Argo CD",
                ARGO[self._argo],
                _buttons("argo", self._argo, {"window": "Close window", "manual": "Auto-sync off"}),
                self._argo != "follows",
            ),
        ]

    def _turn_host(self, arguments: Mapping[str, str]) -> str:
        self._host = _new(HOST, self._host, arguments)
        git = self._cluster.git
        git.faults.clear()
        git.protect(REPOSITORY, *(["main"] if self._host == "protected" else []))
        if self._host == "down":
            git.faults.unreachable()
        if self._host == "reading":
            git.faults.forbid_push()
        return f"The git host: {HOST[self._host]}"

    def _turn_argo(self, arguments: Mapping[str, str]) -> str:
        self._argo = _new(ARGO, self._argo, arguments)
        argocd = self._cluster.kube.argocd
        argocd.open_sync_windows()
        if self._argo == "window":
            argocd.close_sync_window()
        for service, environment in PLACES:
            argocd.set_auto_sync(name(service, environment), automated=self._argo != "manual")
        return f"Argo CD: {ARGO[self._argo]}"


def _buttons(lever: str, now: str, others: Mapping[str, str]) -> list[Button]:
    usual = next(iter(HOST if lever == "git-host" else ARGO))
    if now != usual:
        return [Button(lever, "As usual again", arguments={"state": usual})]
    return [
        Button(lever, label, danger=True, arguments={"state": state})
        for state, label in others.items()
    ]


def _new(states: Mapping[str, str], now: str, arguments: Mapping[str, str]) -> str:
    wanted = arguments.get("state", "")
    if wanted not in states:
        raise ValueError(f"There is no state {wanted!r}; choose {', '.join(states)}.")
    if wanted == now:
        raise CannotDo(f"It is so already: {states[now]}")
    return wanted
