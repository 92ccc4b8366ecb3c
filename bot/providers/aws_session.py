"""AWS clients: made once per region and role, through boto3's own credential chain.

Endpoints come from ``AWS_ENDPOINT_URL`` and ``AWS_ENDPOINT_URL_<SERVICE>``, as boto3 reads them.
Retries belong to the workflow engine, so a client sends each call once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.session import Session as BotocoreSession
from botocore.session import get_session
from typing_extensions import override

from bot.providers.aws_faults import asking
from bot.providers.ecs.raw_json import keep_raw_json

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

SESSION_NAME = "quarterdeck"


def _config(read_timeout: float) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra="quarterdeck",
        max_pool_connections=32,
    )


class AwsClients:
    """Every AWS client of the process. Safe to share between threads.

    ``new_session`` makes a botocore session. ``ecr_within`` is how long, in seconds, ECR may take
    for one answer: a person waits for it. Others are for tests.
    """

    def __init__(
        self, new_session: Callable[[], BotocoreSession] = get_session, ecr_within: float = 1.5
    ) -> None:
        self._new_session = new_session
        self._ecr_within = ecr_within
        self._lock = Lock()  # sessions are not thread-safe; the clients they make are
        self._sessions: dict[tuple[str, str | None], boto3.Session] = {}
        self._ecs: dict[tuple[str, str | None], ECSClient] = {}
        self._ecr: dict[tuple[str, str | None], ECRClient] = {}
        self._elb: dict[tuple[str, str | None], ElasticLoadBalancingv2Client] = {}
        self._cloudwatch: dict[tuple[str, str | None], CloudWatchClient] = {}

    def ecs(self, region: str, role: str | None = None) -> ECSClient:
        """The ECS client of a region, with the credentials of ``role`` where one is given."""
        key = (region, role)
        with self._lock, asking("sts:AssumeRole" if role else "ecs", role or region):
            if key not in self._ecs:
                client = self._session(key).client("ecs", region_name=region, config=_config(10))
                keep_raw_json(client)
                self._ecs[key] = client
            return self._ecs[key]

    def ecr(self, region: str, role: str | None = None) -> ECRClient:
        """The ECR client of a region; it gives up early."""
        key = (region, role)
        with self._lock, asking("sts:AssumeRole" if role else "ecr", role or region):
            if key not in self._ecr:
                self._ecr[key] = self._session(key).client(
                    "ecr", region_name=region, config=_config(self._ecr_within)
                )
            return self._ecr[key]

    def elb(self, region: str, role: str | None = None) -> ElasticLoadBalancingv2Client:
        """The load balancers' client of a region, with the credentials of ``role``."""
        key = (region, role)
        with self._lock, asking("sts:AssumeRole" if role else "elasticloadbalancing", role or ""):
            if key not in self._elb:
                self._elb[key] = self._session(key).client(
                    "elbv2", region_name=region, config=_config(10)
                )
            return self._elb[key]

    def cloudwatch(self, region: str, role: str | None = None) -> CloudWatchClient:
        """The CloudWatch client of a region, with the credentials of ``role``."""
        key = (region, role)
        with self._lock, asking("sts:AssumeRole" if role else "cloudwatch", role or region):
            if key not in self._cloudwatch:
                self._cloudwatch[key] = self._session(key).client(
                    "cloudwatch", region_name=region, config=_config(10)
                )
            return self._cloudwatch[key]

    def identity(self, region: str, role: str | None = None) -> str:
        """The ARN AWS takes us for: what ``doctor`` shows. Raises as every call does."""
        with self._lock, asking("sts:GetCallerIdentity", region):
            client = self._session((region, role)).client(
                "sts", region_name=region, config=_config(5)
            )
        try:
            with asking("sts:GetCallerIdentity", region):
                return client.get_caller_identity()["Arn"]
        finally:
            client.close()

    def close(self) -> None:
        """Hang up; a client that is asked for afterwards is made anew."""
        with self._lock:
            for kept in (self._ecs, self._ecr, self._elb, self._cloudwatch):
                for client in kept.values():
                    client.close()
                kept.clear()

    def _session(self, key: tuple[str, str | None]) -> boto3.Session:
        """Call with the lock held."""
        if key not in self._sessions:
            region, role = key
            session = self._new_session()
            if role is not None:
                provider = _AssumedRole(self._new_session(), region, role)
                session.register_component("credential_provider", CredentialResolver([provider]))
            self._sessions[key] = boto3.Session(botocore_session=session)
        return self._sessions[key]


class _AssumedRole(CredentialProvider):
    """Credentials of a role, fetched on first use and refreshed before they expire.

    ``session`` is its own: refreshing happens on whatever thread makes the call.
    """

    METHOD = "assume-role"

    def __init__(self, session: BotocoreSession, region: str, role: str) -> None:
        super().__init__(session)
        self._region = region
        self._role = role

    @override
    def load(self) -> Credentials | None:
        source = self.session.get_credentials()
        if source is None:
            return None
        fetcher = AssumeRoleCredentialFetcher(
            partial(self.session.create_client, region_name=self._region, config=_config(5)),
            source,
            self._role,
            extra_args={"RoleSessionName": SESSION_NAME},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)
