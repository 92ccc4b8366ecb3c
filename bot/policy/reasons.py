"""Every reason code there is, what it means and what to do: the dictionary behind ``why``.

Codes are a contract: people search for them and dashboards count them. One is added, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class ReasonCode(StrEnum):
    """The closed list, over all rooms; a test holds every code that is used to it."""

    # Policy: who, where, when.
    OUTSIDER = "OUTSIDER"
    NOT_DEPLOYER = "NOT_DEPLOYER"
    NOT_ALLOWED = "NOT_ALLOWED"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    LOCKED = "LOCKED"
    OWN_LOCK = "OWN_LOCK"
    FROZEN = "FROZEN"
    FREEZE_OVERRIDDEN = "FREEZE_OVERRIDDEN"
    OVERRIDE_NOT_ALLOWED = "OVERRIDE_NOT_ALLOWED"
    OVERRIDE_NEEDS_REASON = "OVERRIDE_NEEDS_REASON"
    PAUSED = "PAUSED"
    NOT_LOCKED = "NOT_LOCKED"
    NOT_FROZEN = "NOT_FROZEN"
    NOT_PAUSED = "NOT_PAUSED"
    ROLLBACK_EXEMPT = "ROLLBACK_EXEMPT"
    DOWNTIME = "DOWNTIME"
    # Approval.
    APPROVAL_NEEDED = "APPROVAL_NEEDED"
    BOT_NEEDS_HUMANS = "BOT_NEEDS_HUMANS"
    BOT_MAY_NOT_VOTE = "BOT_MAY_NOT_VOTE"
    NOT_APPROVER = "NOT_APPROVER"
    SELF_APPROVAL = "SELF_APPROVAL"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    ALREADY_VOTED = "ALREADY_VOTED"
    APPROVAL_LAPSED = "APPROVAL_LAPSED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DIGEST_CHANGED = "DIGEST_CHANGED"
    STALE_BUTTON = "STALE_BUTTON"
    TRIGGER_EXPIRED = "TRIGGER_EXPIRED"
    # Deployments, versions and the ends they came to.
    DUPLICATE = "DUPLICATE"
    STALE_FROM = "STALE_FROM"
    UNKNOWN_DEPLOYMENT = "UNKNOWN_DEPLOYMENT"
    NOT_RUNNING = "NOT_RUNNING"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    AMBIGUOUS_VERSION = "AMBIGUOUS_VERSION"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"
    NO_KNOWN_GOOD = "NO_KNOWN_GOOD"
    RELEASE_UNUSABLE = "RELEASE_UNUSABLE"
    CANCELLED = "CANCELLED"
    ROLLED_BACK_BY_HAND = "ROLLED_BACK_BY_HAND"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    TIMED_OUT = "TIMED_OUT"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    # Ends and refusals under Argo CD and in a cluster.
    DEGRADED = "DEGRADED"
    MISSING = "MISSING"
    SYNC_FAILED = "SYNC_FAILED"
    COMPARISON_ERROR = "COMPARISON_ERROR"
    PROGRESS_DEADLINE_EXCEEDED = "PROGRESS_DEADLINE_EXCEEDED"
    PULL_REQUEST_CLOSED = "PULL_REQUEST_CLOSED"
    PUSH_REFUSED = "PUSH_REFUSED"
    PUSH_RACE = "PUSH_RACE"
    MANIFEST_UNSUITABLE = "MANIFEST_UNSUITABLE"
    AUTO_SYNC_ON = "AUTO_SYNC_ON"
    # Ends and refusals of canaries.
    CANARY_WORSE = "CANARY_WORSE"
    CANARY_DOWN = "CANARY_DOWN"
    CANARY_TAKEN_BACK = "CANARY_TAKEN_BACK"
    CANARY_INCONCLUSIVE = "CANARY_INCONCLUSIVE"
    CANARY_UNANSWERED = "CANARY_UNANSWERED"
    CANARY_BLOCKED = "CANARY_BLOCKED"
    CANARY_BLIND = "CANARY_BLIND"
    CANARY_IMPOSSIBLE = "CANARY_IMPOSSIBLE"
    # What was typed.
    USAGE = "USAGE"
    TOO_LONG = "TOO_LONG"
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    UNBALANCED_QUOTE = "UNBALANCED_QUOTE"
    UNKNOWN_COMMAND = "UNKNOWN_COMMAND"
    UNKNOWN_OPTION = "UNKNOWN_OPTION"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    UNKNOWN_ENVIRONMENT = "UNKNOWN_ENVIRONMENT"
    UNKNOWN_TARGET = "UNKNOWN_TARGET"
    UNKNOWN_PERSON = "UNKNOWN_PERSON"
    MISSING_ARGUMENT = "MISSING_ARGUMENT"
    TOO_MANY_ARGUMENTS = "TOO_MANY_ARGUMENTS"
    AMBIGUOUS = "AMBIGUOUS"
    BAD_VERSION = "BAD_VERSION"
    BAD_ID = "BAD_ID"
    BAD_DURATION = "BAD_DURATION"
    BAD_TIME = "BAD_TIME"
    BAD_NUMBER = "BAD_NUMBER"
    # Quarterdeck itself and what it stands on.
    CANNOT_RECORD = "CANNOT_RECORD"
    AUDIT_DAMAGED = "AUDIT_DAMAGED"
    CATALOG_BROKEN = "CATALOG_BROKEN"
    SETTINGS_BROKEN = "SETTINGS_BROKEN"
    ACCESS_DENIED = "ACCESS_DENIED"
    MISCONFIGURED = "MISCONFIGURED"
    UNSUPPORTED = "UNSUPPORTED"
    THROTTLED = "THROTTLED"
    UNREACHABLE = "UNREACHABLE"
    TRANSIENT = "TRANSIENT"
    TERMINAL = "TERMINAL"
    FENCED = "FENCED"
    SLACK_THROTTLED = "SLACK_THROTTLED"
    SLACK_CHANNEL_UNREACHABLE = "SLACK_CHANNEL_UNREACHABLE"
    SLACK_MESSAGE_GONE = "SLACK_MESSAGE_GONE"
    SLACK_MESSAGE_REFUSED = "SLACK_MESSAGE_REFUSED"
    INTERNAL = "INTERNAL"


class Meaning(NamedTuple):
    """What a code says, and what to do about it: whole sentences of plain text."""

    explanation: str
    what_to_do: str


_NOTHING = "There is nothing to do."
_TYPED = "/deploy help shows how each command is written."
_LATER = "Try again in a minute; if it stays, somebody who runs Quarterdeck should look at its log."
_OPERATOR = "Somebody who runs Quarterdeck has to look: quarterdeck doctor names what is wrong."
_ANEW = "/deploy retry and the id asks again for the same image."
_LOOK = "/deploy show and the id shows what happened."

MEANINGS: Mapping[ReasonCode, Meaning] = {
    ReasonCode.OUTSIDER: Meaning(
        "Guests, people of other workspaces and deactivated users may do nothing here.",
        "Ask a full member of this workspace to do it.",
    ),
    ReasonCode.NOT_DEPLOYER: Meaning(
        "The target's policy does not name this person for that.",
        "Ask somebody the policy names, or have the policy changed in quarterdeck.yaml.",
    ),
    ReasonCode.NOT_ALLOWED: Meaning(
        "Locks, freezes and the pause are for the people whom the policy names.",
        "Ask somebody the policy names, or have the policy changed in quarterdeck.yaml.",
    ),
    ReasonCode.WRONG_CHANNEL: Meaning(
        "The target may only be deployed from certain channels.", "Ask again in one of them."
    ),
    ReasonCode.LOCKED: Meaning(
        "Somebody holds the target.", "Wait, or ask the owner to unlock it: /deploy locks."
    ),
    ReasonCode.OWN_LOCK: Meaning("The lock's owner may deploy through it.", _NOTHING),
    ReasonCode.FROZEN: Meaning(
        "The environment is frozen, by a window of the catalog or by somebody.",
        "Wait for its end, or ask an incident responder to use --override-freeze with a reason.",
    ),
    ReasonCode.FREEZE_OVERRIDDEN: Meaning(
        "An incident responder deployed in a freeze, with a reason.", _NOTHING
    ),
    ReasonCode.OVERRIDE_NOT_ALLOWED: Meaning(
        "Only incident responders may override a freeze.", "Ask one of them, or wait for its end."
    ),
    ReasonCode.OVERRIDE_NEEDS_REASON: Meaning(
        "A freeze is only overridden with a reason.", "Add --reason and why it cannot wait."
    ),
    ReasonCode.PAUSED: Meaning(
        "Everything but rollbacks is paused.", "Wait, or ask who paused it: /deploy locks."
    ),
    ReasonCode.NOT_LOCKED: Meaning("There is no such lock.", "/deploy locks lists what there is."),
    ReasonCode.NOT_FROZEN: Meaning(
        "There is no freeze that was declared from chat.", "/deploy locks lists what there is."
    ),
    ReasonCode.NOT_PAUSED: Meaning("Nothing is paused.", _NOTHING),
    ReasonCode.ROLLBACK_EXEMPT: Meaning(
        "A rollback passes locks, freezes, the pause, channels, approvals and the look for "
        "downtime.",
        _NOTHING,
    ),
    ReasonCode.DOWNTIME: Meaning(
        "The workload cannot be rolled without a moment in which nothing answers.",
        "Give it a rolling update without unavailable pods, a readiness probe and two replicas, or "
        "say in quarterdeck.yaml why that is accepted: downtime_accepted.",
    ),
    ReasonCode.APPROVAL_NEEDED: Meaning(
        "The policy wants approvals before this starts.", "Ask an approver to look at its card."
    ),
    ReasonCode.BOT_NEEDS_HUMANS: Meaning(
        "What a bot asks for is approved by at least one person.",
        "Ask an approver to look at its card.",
    ),
    ReasonCode.BOT_MAY_NOT_VOTE: Meaning(
        "Approvals are given by people.", "Ask an approver who is a person."
    ),
    ReasonCode.NOT_APPROVER: Meaning(
        "The target's policy does not name this person as an approver.",
        "Ask somebody the policy names.",
    ),
    ReasonCode.SELF_APPROVAL: Meaning(
        "Nobody approves their own request.", "Ask another approver."
    ),
    ReasonCode.ALREADY_DECIDED: Meaning("Somebody else was faster; their decision stands.", _LOOK),
    ReasonCode.ALREADY_VOTED: Meaning(
        "A person votes once on a deployment.", "Its card shows who is still missing."
    ),
    ReasonCode.APPROVAL_LAPSED: Meaning(
        "Somebody whose approval counted is not an approver any more, or more are needed now.",
        _ANEW,
    ),
    ReasonCode.EXPIRED: Meaning("Nobody decided in time.", _ANEW),
    ReasonCode.REJECTED: Meaning("An approver rejected it.", "Its thread says who and why."),
    ReasonCode.DIGEST_CHANGED: Meaning(
        "The vote was for another image than the one that would run.",
        "Look at the card again and vote on what it shows now.",
    ),
    ReasonCode.STALE_BUTTON: Meaning(
        "The button belongs to a message that is out of date.", "Use the newest card."
    ),
    ReasonCode.TRIGGER_EXPIRED: Meaning(
        "Slack gives three seconds to open a form, and they were over.", "Press it again."
    ),
    ReasonCode.DUPLICATE: Meaning(
        "The same image is on its way to the same target already.", "Follow that one's card."
    ),
    ReasonCode.STALE_FROM: Meaning(
        "Somebody changed the target outside Quarterdeck since this was asked for.", _ANEW
    ),
    ReasonCode.UNKNOWN_DEPLOYMENT: Meaning(
        "There is no deployment of that id.", "/deploy history lists them."
    ),
    ReasonCode.NOT_RUNNING: Meaning("The deployment has ended.", _LOOK),
    ReasonCode.ALREADY_RUNNING: Meaning(
        "The deployment runs already.",
        "/deploy cancel, the id and --roll-back goes back to what ran before.",
    ),
    ReasonCode.IMAGE_NOT_FOUND: Meaning(
        "The registry has no such image.", "Check the tag, and whether its build has ended."
    ),
    ReasonCode.AMBIGUOUS_VERSION: Meaning(
        "Several images fit what was typed.", "Type more digits of the sha, or the digest."
    ),
    ReasonCode.UNKNOWN_VERSION: Meaning(
        "That version is not known to have run well there.",
        "/rollback alone offers those that are.",
    ),
    ReasonCode.NO_KNOWN_GOOD: Meaning(
        "No earlier version is known to have run well there.", "Deploy a version that you trust."
    ),
    ReasonCode.RELEASE_UNUSABLE: Meaning(
        "That release cannot run again: its task definition or its image is gone.",
        "/rollback alone offers those that can.",
    ),
    ReasonCode.CANCELLED: Meaning("Somebody cancelled it.", _ANEW),
    ReasonCode.ROLLED_BACK_BY_HAND: Meaning(
        "A rollback was asked for while it ran or waited.", "Follow the rollback's card."
    ),
    ReasonCode.ROLLED_BACK: Meaning(
        "The provider took it back: its circuit breaker or an alarm.",
        "Its thread quotes the provider's reason; fix it and deploy again.",
    ),
    ReasonCode.FAILED: Meaning(
        "The rollout did not succeed.", "Its thread quotes the provider's events."
    ),
    ReasonCode.SUPERSEDED: Meaning(
        "Somebody else deployed to the target while it ran.", "/deploy status shows what runs now."
    ),
    ReasonCode.TIMED_OUT: Meaning(
        "It did not settle in the time that the catalog gives the target.",
        "/deploy status shows what runs; roll back, or raise the timeout.",
    ),
    ReasonCode.OUTCOME_UNKNOWN: Meaning(
        "A call was sent, and whether it took effect could not be read back.",
        "Look at the target, then deploy or roll back.",
    ),
    ReasonCode.DEGRADED: Meaning(
        "It was rolled out, and what it runs on is not healthy.",
        "Its card names what is unhealthy and why. Nothing takes it back by itself: roll back, or "
        "deploy what mends it.",
    ),
    ReasonCode.MISSING: Meaning(
        "Something that git asks for, or the Application itself, is not in the cluster.",
        "Its card names what is missing; look at it in Argo CD, then roll back or deploy again.",
    ),
    ReasonCode.SYNC_FAILED: Meaning(
        "Argo CD could not apply what stands in git to the cluster.",
        "Its card quotes why. Roll back, or deploy again when the manifests are mended.",
    ),
    ReasonCode.COMPARISON_ERROR: Meaning(
        "Argo CD cannot make manifests of what stands in git, or cannot read the cluster.",
        "Its card quotes why. Roll back, or deploy again when the manifests are mended.",
    ),
    ReasonCode.PROGRESS_DEADLINE_EXCEEDED: Meaning(
        "New pods did not become ready in the time that the workload gives them.",
        "Its card says what keeps the pods. Nothing takes it back by itself: roll back, or deploy "
        "what mends it.",
    ),
    ReasonCode.PULL_REQUEST_CLOSED: Meaning(
        "Somebody closed its pull request without merging it, so nothing was changed.",
        "The pull request says who and why. /deploy retry and the id opens another one.",
    ),
    ReasonCode.PUSH_REFUSED: Meaning(
        "The manifests repository did not take the commit: a protected branch, a hook or a right "
        "that is missing.",
        "Let Quarterdeck push to that branch, or have the catalog deliver by pull_request.",
    ),
    ReasonCode.PUSH_RACE: Meaning(
        "Others pushed to the manifests repository faster than Quarterdeck, again and again.",
        _ANEW,
    ),
    ReasonCode.MANIFEST_UNSUITABLE: Meaning(
        "The image cannot be changed safely in the manifest: it is not found, found twice, an "
        "anchor or a template.",
        "The refusal names file and line: mend the manifest, or the place in quarterdeck.yaml.",
    ),
    ReasonCode.AUTO_SYNC_ON: Meaning(
        "Argo CD would undo it at once: the Application syncs itself from git.",
        "Roll back by git (rollback: git in quarterdeck.yaml), or turn auto-sync off.",
    ),
    ReasonCode.CANARY_WORSE: Meaning(
        "The canary failed more, or was slower, than the stable version at the same time, or was "
        "beyond a limit of its plan. All traffic went back.",
        "Its card has the evidence, its thread a chart. Mend it and deploy again.",
    ),
    ReasonCode.CANARY_DOWN: Meaning(
        "The canary got traffic while none of its tasks was healthy. All traffic went back.",
        "Look why its tasks stop or fail their health checks. Mend it and deploy again.",
    ),
    ReasonCode.CANARY_TAKEN_BACK: Meaning(
        "Somebody took the canary back. All traffic went back.", "Its card says who and why."
    ),
    ReasonCode.CANARY_INCONCLUSIVE: Meaning(
        "The canary's traffic was too little to tell, or there was none to measure.",
        "Give it a larger share or a longer bake, or promote it by hand.",
    ),
    ReasonCode.CANARY_UNANSWERED: Meaning(
        "People were asked about the canary, and nobody answered in time. All traffic went back.",
        _ANEW,
    ),
    ReasonCode.CANARY_BLOCKED: Meaning(
        "The canary cannot go on by itself: somebody else changed its weights, or the stable "
        "version is not healthy.",
        "Its card says what is in the way. Promote, hold or abort it.",
    ),
    ReasonCode.CANARY_BLIND: Meaning(
        "Nothing could be measured before the canary began, so it did not begin.",
        "Run quarterdeck doctor: it says whether the metrics can be read.",
    ),
    ReasonCode.CANARY_IMPOSSIBLE: Meaning(
        "The target has no plan for canaries, or what runs does not fit it. Nothing was changed.",
        "Set right what the refusal names, or deploy with --rolling.",
    ),
    ReasonCode.USAGE: Meaning("The command was not written as it should be.", _TYPED),
    ReasonCode.TOO_LONG: Meaning("A text is longer than what is kept.", "Shorten it."),
    ReasonCode.CONTROL_CHARACTER: Meaning(
        "The text has an invisible control character in it.", "Type it instead of pasting it."
    ),
    ReasonCode.UNBALANCED_QUOTE: Meaning(
        "A quotation begins and does not end.", "Close it, or leave the quotation mark out."
    ),
    ReasonCode.UNKNOWN_COMMAND: Meaning("There is no such command.", _TYPED),
    ReasonCode.UNKNOWN_OPTION: Meaning("The command has no such option.", _TYPED),
    ReasonCode.UNKNOWN_SERVICE: Meaning(
        "The catalog has no such service.", "/deploy status lists the services."
    ),
    ReasonCode.UNKNOWN_ENVIRONMENT: Meaning(
        "The catalog has no such environment.", "/deploy status lists the environments."
    ),
    ReasonCode.UNKNOWN_TARGET: Meaning(
        "The service does not run in that environment.", "/deploy status lists what runs where."
    ),
    ReasonCode.UNKNOWN_PERSON: Meaning(
        "Slack did not say who is meant.", "Type @ and pick the person from the list."
    ),
    ReasonCode.MISSING_ARGUMENT: Meaning("Something the command needs was left out.", _TYPED),
    ReasonCode.TOO_MANY_ARGUMENTS: Meaning("There is a word too many.", _TYPED),
    ReasonCode.AMBIGUOUS: Meaning(
        "What was typed can be read in two ways.", "Write it as: service, environment, version."
    ),
    ReasonCode.BAD_VERSION: Meaning(
        "That cannot be a version.", "Give a tag, a commit sha, a digest or latest."
    ),
    ReasonCode.BAD_ID: Meaning(
        "That cannot be a deployment's id.", "Ids read like backend-staging-142."
    ),
    ReasonCode.BAD_DURATION: Meaning("That is not a duration.", "Write 30m, 2h or 1d."),
    ReasonCode.BAD_TIME: Meaning(
        "That is not a time, or not one that can be meant.", "Write 2026-12-24T18:00+01:00."
    ),
    ReasonCode.BAD_NUMBER: Meaning("That is not a number in range.", "Write it in digits."),
    ReasonCode.CANNOT_RECORD: Meaning(
        "The database cannot be used, and what cannot be recorded is not done.", _LATER
    ),
    ReasonCode.AUDIT_DAMAGED: Meaning(
        "The audit trail does not add up.", "Run quarterdeck audit verify: it names the row."
    ),
    ReasonCode.CATALOG_BROKEN: Meaning(
        "The catalog has errors in it.", "Run quarterdeck check: it names each with its line."
    ),
    ReasonCode.SETTINGS_BROKEN: Meaning(
        "A setting is missing or wrong.", "Quarterdeck lists each when it starts."
    ),
    ReasonCode.ACCESS_DENIED: Meaning(
        "A permission is missing, or credentials have expired.", _OPERATOR
    ),
    ReasonCode.MISCONFIGURED: Meaning(
        "The catalog or a setting names something that is not there.", _OPERATOR
    ),
    ReasonCode.UNSUPPORTED: Meaning(
        "The target is set up in a way that Quarterdeck does not roll.", _OPERATOR
    ),
    ReasonCode.THROTTLED: Meaning("The other side asked to be called less often.", _LATER),
    ReasonCode.UNREACHABLE: Meaning("The other side gave no answer.", _LATER),
    ReasonCode.TRANSIENT: Meaning("The call failed for a reason that passes.", _LATER),
    ReasonCode.TERMINAL: Meaning("The call failed, and trying again cannot help.", _OPERATOR),
    ReasonCode.FENCED: Meaning(
        "Another replica of Quarterdeck took the work over and goes on with it.", _NOTHING
    ),
    ReasonCode.SLACK_THROTTLED: Meaning("Slack asked to be called less often.", _LATER),
    ReasonCode.SLACK_CHANNEL_UNREACHABLE: Meaning(
        "Quarterdeck cannot write to that channel.", "Invite it there: /invite @quarterdeck"
    ),
    ReasonCode.SLACK_MESSAGE_GONE: Meaning(
        "The message was deleted.", "/deploy show and the id shows it again."
    ),
    ReasonCode.SLACK_MESSAGE_REFUSED: Meaning("Slack did not take the message.", _OPERATOR),
    ReasonCode.INTERNAL: Meaning("Quarterdeck made a mistake of its own.", _OPERATOR),
}

_UNKNOWN = Meaning("This code comes from another version of Quarterdeck.", _LOOK)


def explain(code: str) -> Meaning:
    """What a code means and what to do; a general answer for a code of another version."""
    return MEANINGS[ReasonCode(code)] if code in frozenset(ReasonCode) else _UNKNOWN
