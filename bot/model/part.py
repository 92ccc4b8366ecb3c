"""What every part of the catalog's file is made of: its base, and the forms of names and ids."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

#: What each pattern of the file means, in words: a pattern explains nothing to a person.
MEANING: dict[str, str] = {
    (NAME := r"^[a-z][a-z0-9-]{0,39}$"): "a name of lower case letters, digits and dashes",
    (USER := r"^[UW][A-Z0-9]{2,20}$"): "a Slack user id, such as U024BE7LH",
    (GROUP := r"^S[A-Z0-9]{2,20}$"): "a Slack user group id, such as S0614TZR7",
    (CHANNEL := r"^[CDG][A-Z0-9]{2,20}$"): "a Slack channel id, such as C024BE91L",
    (ACCOUNT := r"^[0-9]{12}$"): 'an AWS account id: twelve digits, such as "123456789012"',
    (REGION := r"^[a-z]{2}(-[a-z]+)+-[0-9]$"): "an AWS region, such as eu-central-1",
    (ROLE := r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"): (
        "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/quarterdeck"
    ),
    (SOURCE := r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"): "a source repository as owner/name",
    (OBJECT := r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"): (
        "the name of a Kubernetes object: lower case letters, digits, dashes and dots"
    ),
    (
        REMOTE
        := r"^(https?://[^\s/@]+/\S+|ssh://([^\s/@:]+@)?[^\s/@]+/\S+|[^\s/@:]+@[^\s/:]+:\S+)$"
    ): (
        "a git remote without credentials, such as https://github.com/acme/manifests.git "
        "or git@github.com:acme/manifests.git"
    ),
    (BRANCH := r"^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$"): "the name of a git branch",
    (INSIDE := r"^(\.|\.?[A-Za-z0-9_][A-Za-z0-9_.@-]*(/\.?[A-Za-z0-9_][A-Za-z0-9_.@-]*)*/?)$"): (
        "a path inside the repository, without .. and without a slash at its beginning"
    ),
    (KEYS := r"^[^\s.]+(\.[^\s.]+)*$"): "a path of keys with dots between them, such as image.tag",
}

Name = Annotated[str, Field(pattern=NAME, description=MEANING[NAME])]
UserId = Annotated[str, Field(pattern=USER, description=MEANING[USER])]
GroupId = Annotated[str, Field(pattern=GROUP, description=MEANING[GROUP])]
ChannelId = Annotated[str, Field(pattern=CHANNEL, description=MEANING[CHANNEL])]
Region = Annotated[str, Field(pattern=REGION, description=MEANING[REGION])]
RoleArn = Annotated[str, Field(pattern=ROLE)]
ObjectName = Annotated[str, Field(pattern=OBJECT, description=MEANING[OBJECT])]
Remote = Annotated[str, Field(pattern=REMOTE, description=MEANING[REMOTE])]
Branch = Annotated[str, Field(pattern=BRANCH, description=MEANING[BRANCH])]
InsidePath = Annotated[str, Field(pattern=INSIDE, description=MEANING[INSIDE])]
KeyPath = Annotated[str, Field(pattern=KEYS, description=MEANING[KEYS])]


def filled(value: object) -> object:
    """A part that is left out is fine; one that is written down and empty is a slip."""
    if value is None:
        raise PydanticCustomError("model_type", "it should be a mapping")
    return value


class Part(BaseModel):
    """What every part of the file shares: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
