"""Every id that goes to Slack and comes back: buttons, forms, fields, and what a button carries."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from bot.model.deployment import Deployment
from bot.model.errors import UserError


class Action(StrEnum):
    """Action ids of buttons and selects. They live on in old messages: never reuse a value."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    CANCEL_AND_ROLL_BACK = "cancel_and_roll_back"
    ROLL_BACK = "roll_back"
    DETAILS = "details"
    CANARY_PROMOTE = "canary_promote"
    CANARY_PROMOTE_FULLY = "canary_promote_fully"
    CANARY_HOLD = "canary_hold"
    CANARY_GO_ON = "canary_go_on"
    CANARY_ABORT = "canary_abort"
    SUGGESTION = "suggestion"
    OPEN_DEPLOY_FORM = "open_deploy_form"
    OPEN_ROLLBACK_FORM = "open_rollback_form"
    PICK_ROLLBACK_TARGET = "pick_rollback_target"


class Form(StrEnum):
    """Callback ids of modals."""

    DEPLOY = "deploy_form"
    ROLLBACK = "rollback_form"
    REJECT = "reject_form"
    NOTICE = "notice"


class Field(StrEnum):
    """Block ids of inputs; each input's action id is ``INPUT``."""

    SERVICES = "services"
    ENVIRONMENT = "environment"
    VERSION = "version"
    REASON = "reason"
    RELEASE = "release"


#: The action id of the one element in every input block.
INPUT = "input"

#: Slack refuses longer button values; ours are far below it unless somebody made them up.
VALUE_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Handle:
    """What a button or a form carries: names only, to be read again from the database on use.

    ``step`` is the canary's step that the card showed, counted from 0.
    """

    id: str = ""
    digest: str = ""
    service: str = ""
    environment: str = ""
    channel: str = ""
    step: str = ""

    @classmethod
    def of(cls, deployment: Deployment) -> Handle:
        """The handle that a deployment's buttons carry."""
        target = deployment.target
        return cls(deployment.id, deployment.image.digest, target.service, target.environment)

    def dump(self) -> str:
        """Compact JSON without empty parts, well under every limit of Slack."""
        return json.dumps({key: value for key, value in asdict(self).items() if value})

    @classmethod
    def load(cls, value: str) -> Handle:
        """Read ``dump``'s answer back; ``UserError`` (``STALE_BUTTON``) where it is not ours."""
        broken = UserError(
            "This button was made by another version of Quarterdeck and cannot be read.",
            reason_code="STALE_BUTTON",
            hint="Type the command instead.",
        )
        if len(value) > VALUE_LIMIT:
            raise broken
        try:
            parts = json.loads(value or "{}")
        except ValueError:
            raise broken from None
        known = isinstance(parts, dict) and set(parts) <= set(cls.__slots__)
        if not known or not all(isinstance(part, str) for part in parts.values()):
            raise broken
        return cls(**parts)
