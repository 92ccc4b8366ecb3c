"""The environment variables and ``.env`` that Quarterdeck reads, as one frozen ``Settings``.

A variable is called as its field, in upper case. What the environment says goes before what
``.env`` says, and an empty variable counts as not set. AWS is not here: boto3 reads the AWS
variables itself, in its own order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rapidfuzz import fuzz, process

from bot.settings.problems import Problem

_POSTGRESQL = re.compile(r"^postgres(?:ql)?(?:\+psycopg)?://(?=.)")
_NEARLY = 88
_SQLITE = re.compile(r"^sqlite:///(?!:memory:)[^?]")


def _stripped(value: object) -> object:
    # A secret that was pasted or mounted from a file often ends with a line break.
    return value.strip() if isinstance(value, str) else value


def _token(prefix: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not re.fullmatch(re.escape(prefix) + r"[A-Za-z0-9-]+", value.get_secret_value()):
            raise PydanticCustomError("token", "it is no token that begins with " + prefix)
        return value

    return AfterValidator(check)


def _database(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if _POSTGRESQL.match(url):
        return SecretStr(_POSTGRESQL.sub("postgresql+psycopg://", url))
    if _SQLITE.match(url):
        return value
    if url.startswith("sqlite:"):
        raise PydanticCustomError("database", "it names no file, and nothing else is lasting")
    raise PydanticCustomError("database", "it is no URL of SQLite or PostgreSQL")


def _api_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise PydanticCustomError("url", "it is no http or https URL")
    return value if value.endswith("/") else f"{value}/"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Secret = Annotated[SecretStr, BeforeValidator(_stripped)]
BotToken = Annotated[Secret, _token("xoxb-")]
AppToken = Annotated[Secret, _token("xapp-")]


class CatalogSetting(BaseSettings):
    """Where the catalog is: all that ``quarterdeck check`` has to know."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        dotenv_filtering="only_existing",
        hide_input_in_errors=True,
    )

    quarterdeck_catalog: Path = Field(
        default=Path("quarterdeck.yaml"), description="the catalog's file"
    )


class DatabaseSetting(CatalogSetting):
    """Where the database is: all that ``migrate`` and ``audit`` have to know."""

    database_url: Annotated[Secret, AfterValidator(_database)] = Field(
        default=SecretStr("sqlite:///quarterdeck.db"),
        description="SQLite, or PostgreSQL where more than one replica runs",
    )


class Settings(DatabaseSetting):
    """Everything that is not in the catalog. ``repr`` shows no secret."""

    slack_bot_token: BotToken = Field(description="the Slack app's bot token, xoxb-...")
    slack_app_token: AppToken | None = Field(
        default=None, description="xapp-...; with it Slack is reached by Socket Mode"
    )
    slack_signing_secret: Secret | None = Field(
        default=None,
        validate_default=True,
        description="proves that a request is Slack's; needed without SLACK_APP_TOKEN",
    )
    slack_api_url: Annotated[str, BeforeValidator(_stripped), AfterValidator(_api_url)] = Field(
        default="https://slack.com/api/", description="another Slack, for tests and the demo"
    )
    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - in a container the loopback reaches nobody
        min_length=1,
        description="the address to listen on; 127.0.0.1 behind a proxy on the same machine",
    )
    port: int = Field(
        default=3000, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    quarterdeck_lease_seconds: int = Field(
        default=15,
        ge=5,
        le=300,
        description="how long a replica may be silent before another one takes over its work",
    )
    kubeconfig: Annotated[str | None, BeforeValidator(_stripped)] = Field(
        default=None,
        description="the clusters of Kubernetes targets; without it ~/.kube/config, or the own one",
    )
    git_token: Secret | None = Field(
        default=None, description="pushes to manifests repositories over HTTPS"
    )
    git_ssh_key: Path | None = Field(
        default=None, description="the file of the deploy key that pushes over SSH"
    )
    git_ssh_known_hosts: Path | None = Field(
        default=None, description="the file of the host keys to trust; without it the user's own"
    )
    git_signing_key: Path | None = Field(
        default=None, description="the file of an SSH key with which commits are signed"
    )
    git_committer: Annotated[str, BeforeValidator(_stripped)] = Field(
        default="Quarterdeck <quarterdeck@users.noreply.github.com>",
        pattern=r"^[^<>\n]+ <[^<>\s]+@[^<>\s]+>$",
        description="as whom the bot commits; the author is whoever asked",
    )
    quarterdeck_cache: Path = Field(
        default=Path(".quarterdeck-cache"),
        description="the folder for clones of manifests repositories; it may be lost",
    )
    github_token: Secret | None = Field(
        default=None, description="opens pull requests; without it GIT_TOKEN does"
    )
    github_app_id: Annotated[str | None, BeforeValidator(_stripped)] = Field(
        default=None, description="the GitHub App in whose name is pushed, in place of GIT_TOKEN"
    )
    github_app_private_key: Path | None = Field(
        default=None, description="the file of that App's private key"
    )
    github_api_url: Annotated[str, BeforeValidator(_stripped), AfterValidator(_api_url)] = Field(
        default="https://api.github.com/", description="GitHub's API, or that of an own GitHub"
    )
    prometheus_token: Secret | None = Field(
        default=None, description="the bearer token for Prometheus servers that judge canaries"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = (
        Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    )
    quarterdeck_log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        default="json", description="json for machines, console for people"
    )

    @model_validator(mode="after")
    def _whole_app(self) -> Self:
        if (self.github_app_id is None) is not (self.github_app_private_key is None):
            raise PydanticCustomError(
                "half_app", "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY are needed together"
            )
        return self

    @property
    def socket_mode(self) -> bool:
        """Whether Slack is reached by Socket Mode rather than over HTTP."""
        return self.slack_app_token is not None

    @field_validator("slack_signing_secret")
    @classmethod
    def _provable(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # An app token that is wrong is not among the data: that is told already.
        if value is None and info.data.get("slack_app_token", "wrong") is None:
            raise PydanticCustomError("missing", "it is not set")
        if value is not None and value.get_secret_value().startswith(("xoxb-", "xapp-", "xoxp-")):
            raise PydanticCustomError("token", "this is a token, not the signing secret")
        return value


_WHAT_TO_DO = {
    "slack_bot_token": "Copy the Bot User OAuth Token from OAuth & Permissions of your Slack app.",
    "slack_app_token": "Make an App-Level Token with connections:write in Basic Information.",
    "slack_signing_secret": (
        "Copy the Signing Secret from Basic Information of your Slack app, or set SLACK_APP_TOKEN "
        "for Socket Mode."
    ),
    "slack_api_url": "Leave it out for Slack itself, or write it like http://127.0.0.1:8900/api/.",
    "database_url": (
        "Write it like sqlite:///quarterdeck.db or postgresql://user:password@host/database."
    ),
    "port": "A port is a number from 1 to 65535, or 0 for any that is free.",
    "quarterdeck_lease_seconds": "It is a number of seconds from 5 to 300; leave it out for 15.",
    "git_committer": "Write it like Quarterdeck <quarterdeck@example.com>.",
    "github_app_private_key": "Set both, or neither for GIT_TOKEN.",
    "github_api_url": "Leave it out for github.com, or write it like https://git.example/api/v3/.",
    "log_level": "It is one of DEBUG, INFO, WARNING, ERROR.",
    "quarterdeck_log_format": "It is json or console.",
}


#: What git and ssh need to know of this machine: where programs are, and how to get out.
_FOR_PROGRAMS = frozenset(
    {"PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"}
)


def for_programs() -> dict[str, str]:
    """The part of our own environment that programs which we run may know: no secret of ours."""
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    return {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - this is the room
        if name in _FOR_PROGRAMS or name.upper() in proxies
    }


def read_settings(env_file: Path | None) -> tuple[Settings | None, list[Problem]]:
    """The settings, or every problem with them. No message holds the value of a variable."""
    try:
        return Settings(_env_file=env_file), []
    except ValidationError as error:
        return None, list(_explained(error))
    except (OSError, ValueError):
        return None, [_unreadable(env_file)]


def read_database_url(env_file: Path | None) -> tuple[str, list[Problem]]:
    """The database's URL, whatever else is missing; it may hold a password."""
    try:
        return DatabaseSetting(_env_file=env_file).database_url.get_secret_value(), []
    except ValidationError as error:
        return "", list(_explained(error))
    except (OSError, ValueError):
        return "", [_unreadable(env_file)]


def read_catalog_path(env_file: Path | None) -> tuple[Path | None, list[Problem]]:
    """Where the catalog is, whatever else is missing."""
    try:
        return CatalogSetting(_env_file=env_file).quarterdeck_catalog, []
    except (OSError, ValueError):
        return None, [_unreadable(env_file)]


def _explained(error: ValidationError) -> Iterator[Problem]:
    for details in error.errors(include_url=False, include_input=False, include_context=False):
        field = str(next(iter(details["loc"]), "github_app_private_key"))
        message = _MESSAGES.get(details["type"], details["msg"])
        suggestion = _misspelt(field) if details["type"] == "missing" else ""
        yield Problem("", 0, 0, field.upper(), message, suggestion or _WHAT_TO_DO.get(field, ""))


_MESSAGES = {
    "missing": "it is not set",
    "literal_error": "it is none of the words it can be",
    "int_parsing": "it is not a number",
    "greater_than_equal": "it is too small",
    "less_than_equal": "it is too large",
    "string_pattern_mismatch": "it is not in the form that is needed",
}


def _misspelt(field: str) -> str:
    """Whether a variable is set whose name is nearly the wanted one. Reads names, not values."""
    known = {name.upper() for name in Settings.model_fields}
    names = [name for name in os.environ if name not in known]  # noqa: TID251 - this is the room
    near = process.extractOne(field.upper(), names, scorer=fuzz.ratio, score_cutoff=_NEARLY)
    return f"{near[0]} is set: is that a slip for {field.upper()}?" if near is not None else ""


def _unreadable(env_file: Path | None) -> Problem:
    message = "it cannot be read as text of the form NAME=value"
    return Problem(str(env_file), 0, 0, "", message, "Mind its permissions, and save it as UTF-8.")
