"""Clusters by kubeconfig context: made when first needed, kept, and shared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from typing_extensions import override

from bot.model.errors import Misconfigured, QuarterdeckError
from bot.providers.kube.cluster import Cluster, Clusters
from bot.providers.kube.credentials import (
    PATIENCE,
    Bounded,
    Ticks,
    bounded,
    given,
    program,
    read_again,
)

if TYPE_CHECKING:
    from kubernetes.client import Configuration

    from bot.providers.kube.api import ApiCluster

#: What ``KUBECONFIG`` stands for where it is not set.
_USUAL = "~/.kube/config"


class KubeconfigClusters(Clusters):
    """``kubeconfig`` is what KUBECONFIG says, one file or several with colons between them.

    Without any such file, a process in a pod reaches its own cluster. Safe to share between
    threads.
    """

    def __init__(
        self, kubeconfig: str = "", patience: float = PATIENCE, ticks: Ticks = time.monotonic
    ) -> None:
        self._kubeconfig = kubeconfig or _USUAL
        self._patience = patience
        self._ticks = ticks
        self._lock = Lock()
        self._asking: dict[str | None, Bounded] = {}
        self._clusters: dict[str | None, ApiCluster] = {}

    @override
    def at(self, context: str | None) -> Cluster:
        with self._lock:
            if context in self._clusters:
                return self._clusters[context]
            asking = self._asking.setdefault(context, Bounded(self._patience))
        # Without the lock: what one cluster's credentials wait for is nothing to another one.
        asking(lambda: self._make(context))
        with self._lock:
            return self._clusters[context]

    def close(self) -> None:
        """Close connections that are kept."""
        with self._lock:
            for cluster in self._clusters.values():
                cluster.close()
            self._clusters.clear()

    def _make(self, context: str | None) -> None:
        # The client takes a third of a second and twenty megabytes to import.
        from bot.providers.kube.api import ApiCluster  # noqa: PLC0415

        made = ApiCluster(context or "(current)", self._configuration(context))
        with self._lock:
            self._clusters.setdefault(context, made)

    def _configuration(self, context: str | None) -> Configuration:
        from kubernetes.client import Configuration  # noqa: PLC0415  as above
        from kubernetes.config import ConfigException, load_incluster_config  # noqa: PLC0415
        from kubernetes.config.kube_config import load_kube_config  # noqa: PLC0415
        from yaml import YAMLError  # type: ignore[import-untyped]  # noqa: PLC0415

        configuration = Configuration()
        files = [Path(each).expanduser() for each in self._kubeconfig.split(":") if each]
        try:
            if any(each.exists() for each in files):
                named = ":".join(str(each) for each in files)
                command = program(named, context)
                load_kube_config(  # type: ignore[no-untyped-call]  # as the vendor left it
                    config_file=named,
                    context=context,
                    client_configuration=configuration,
                    persist_config=False,
                )
                if command:
                    given(configuration, command)
                    bounded(configuration, Bounded(self._patience))
                elif configuration.api_key:
                    read_again(configuration, lambda: self._tokens(context), self._ticks)
            elif context is None:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # as above
            else:
                raise FileNotFoundError(context)
        except (
            AttributeError,
            ConfigException,
            KeyError,
            OSError,
            TypeError,
            ValueError,
            YAMLError,
        ) as error:
            raise _no_cluster(context, error) from None
        return configuration

    def _tokens(self, context: str | None) -> Mapping[str, str]:
        try:
            return self._configuration(context).api_key
        except QuarterdeckError:
            return {}  # it is being written just now; what it said before may do


def _no_cluster(context: str | None, error: Exception) -> Misconfigured:
    wanted = f"a context {context}" if context else "a current context, nor is this a pod"
    return Misconfigured(
        f"The kubeconfig has not got {wanted} ({type(error).__name__}).",
        hint="Set KUBECONFIG to a file that has it, or correct `cluster` in the catalog.",
    )
