"""STS operations: who calls, and becoming a role."""

from __future__ import annotations

import re

from bot.playground.aws.errors import AwsError
from bot.playground.aws.operations import Context, Identity, operation
from bot.playground.aws.records import Json

ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]+)")
SESSION = re.compile(r"[\w+=,.@-]{2,64}")
SHORTEST, LONGEST, USUAL = 900, 43_200, 3600


@operation("sts", "GetCallerIdentity")
def get_caller_identity(context: Context, request: Json) -> Json:
    """Needs no permission, as in STS."""
    del request
    who = context.identity
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


@operation("sts", "AssumeRole")
def assume_role(context: Context, request: Json) -> Json:
    """New credentials; calls signed with them act in the role's account, under its name."""
    role = ROLE.fullmatch(request["RoleArn"])
    if role is None:
        raise _refused(f"{request['RoleArn']} is invalid", "RoleArn")
    session = request["RoleSessionName"]
    if not SESSION.fullmatch(session):
        raise _refused(f"Value '{session}' failed to satisfy the pattern", "RoleSessionName")
    duration = request.get("DurationSeconds", USUAL)
    if not SHORTEST <= duration <= LONGEST:
        raise _refused(f"Value '{duration}' must be between 900 and 43200", "DurationSeconds")
    account, name = role.groups()
    token = context.mint("credentials")
    key, role_id = "ASIA" + token[:16].upper(), "AROA" + context.mint(f"role/{name}")[:17].upper()
    user = f"{role_id}:{session}"
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    context.adopt(key, Identity(account, arn, user))
    return {
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": token + token[:8],
            "SessionToken": context.mint("session") * 4,
            "Expiration": context.stamp + duration,
        },
        "AssumedRoleUser": {"AssumedRoleId": user, "Arn": arn},
        "PackedPolicySize": 0,
    }


def _refused(what: str, where: str) -> AwsError:
    return AwsError("ValidationError", f"1 validation error detected at '{where}': {what}")
