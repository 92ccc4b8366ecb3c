"""How each state of a deployment is called and marked, in one table."""

from __future__ import annotations

from bot.model.deployment import Deployment, Kind, Status

#: The mark and the words of each state; complete by test.
WORDS: dict[Status, tuple[str, str]] = {
    Status.AWAITING_APPROVAL: ("✋", "waiting for approval"),
    Status.QUEUED: ("⏳", "queued"),
    Status.RUNNING: ("🚀", "running"),
    Status.SUCCEEDED: ("✅", "succeeded"),
    Status.ROLLED_BACK: ("↩️", "rolled back"),
    Status.FAILED: ("❌", "failed"),
    Status.CANCELLED: ("🚫", "cancelled"),
    Status.SUPERSEDED: ("⏭️", "superseded"),
    Status.TIMED_OUT: ("⌛", "timed out"),
    Status.OUTCOME_UNKNOWN: ("❓", "outcome unknown, a person must look"),
    Status.REJECTED: ("🛑", "rejected"),
    Status.EXPIRED: ("⌛", "expired"),
    Status.REFUSED: ("⛔", "refused"),
}


def mark(status: Status) -> str:
    """The state's emoji, as a character: no workspace can redefine it."""
    return WORDS[status][0]


def words(status: Status) -> str:
    """The state in words, as it stands in a sentence."""
    return WORDS[status][1]


def verb(deployment: Deployment) -> str:
    """What the deployment does, as it stands in a sentence."""
    match deployment.kind:
        case Kind.DEPLOY:
            return "deploy"
        case Kind.ROLLBACK:
            return "roll back"
