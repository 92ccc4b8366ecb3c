"""Clusters by kubeconfig context: made when first needed, kept, and shared."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from typing_extensions import override

from bot.model.errors import Misconfigured
from bot.providers.kube.cluster import Cluster, Clusters

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

    def __init__(self, kubeconfig: str = "") -> None:
        self._kubeconfig = kubeconfig or _USUAL
        self._lock = Lock()
        self._clusters: dict[str | None, ApiCluster] = {}

    @override
    def at(self, context: str | None) -> Cluster:
        with self._lock:
            if context not in self._clusters:
                self._clusters[context] = self._make(context)
            return self._clusters[context]

    def close(self) -> None:
        """Close connections that are kept."""
        with self._lock:
            for cluster in self._clusters.values():
                cluster.close()
            self._clusters.clear()

    def _make(self, context: str | None) -> ApiCluster:
        # The client takes a third of a second and twenty megabytes to import.
        from bot.providers.kube.api import ApiCluster  # noqa: PLC0415

        return ApiCluster(context or "(current)", self._configuration(context))

    def _configuration(self, context: str | None) -> Configuration:
        from kubernetes.client import Configuration  # noqa: PLC0415  as above
        from kubernetes.config import ConfigException, load_incluster_config  # noqa: PLC0415
        from kubernetes.config.kube_config import load_kube_config  # noqa: PLC0415
        from yaml import YAMLError  # type: ignore[import-untyped]  # noqa: PLC0415

        configuration = Configuration()
        files = [Path(each).expanduser() for each in self._kubeconfig.split(":") if each]
        try:
            if any(each.exists() for each in files):
                load_kube_config(  # type: ignore[no-untyped-call]  # as the vendor left it
                    config_file=":".join(str(each) for each in files),
                    context=context,
                    client_configuration=configuration,
                    persist_config=False,
                )
            elif context is None:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # as above
            else:
                raise FileNotFoundError(context)
        except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as error:
            raise _no_cluster(context, error) from None
        return configuration


def _no_cluster(context: str | None, error: Exception) -> Misconfigured:
    wanted = f"a context {context}" if context else "a current context, nor is this a pod"
    return Misconfigured(
        f"The kubeconfig has not got {wanted} ({type(error).__name__}).",
        hint="Set KUBECONFIG to a file that has it, or correct `cluster` in the catalog.",
    )
