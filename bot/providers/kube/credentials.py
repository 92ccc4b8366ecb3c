"""The program that a kubeconfig may name for credentials, such as ``aws eks get-token``.

The client runs it without a limit of time, and when it fails goes on without any credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from bot.model.errors import Unreachable

if TYPE_CHECKING:
    from kubernetes.client import Configuration

#: Seconds that credentials are waited for.
PATIENCE = 30.0
#: Seconds after which a kubeconfig is read again.
ANEW = 60.0


Ticks = Callable[[], float]


class Bounded:
    """Work that may hang, on a thread of its own: one at a time, which all who ask wait for.

    A program that hangs is left behind, and no second one is started beside it.
    """

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._running: Future[None] | None = None

    def __call__(self, work: Callable[[], object]) -> None:
        """Raises what the work does, and ``Unreachable`` where it is not done in time."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                Thread(target=_fulfil, args=(self._running, work), daemon=True).start()
            running = self._running
        try:
            running.result(self._seconds)
        except TimeoutError:
            raise Unreachable(
                f"Credentials for the cluster did not come within {self._seconds:g} seconds.",
                hint="Look at the program that the kubeconfig names for them.",
            ) from None


def _fulfil(running: Future[None], work: Callable[[], object]) -> None:
    try:
        work()
    except BaseException as fault:  # noqa: BLE001 - raised where it is waited for
        running.set_exception(fault)
    else:
        running.set_result(None)


def program(files: str, context: str | None) -> str:
    """The program that gives credentials for a context; empty where none does."""
    from kubernetes.config import list_kube_config_contexts  # noqa: PLC0415  takes a while
    from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415  as above

    contexts, current = list_kube_config_contexts(files)  # type: ignore[no-untyped-call]  # as the vendor left it
    named = next((each for each in contexts if each["name"] == context), current)
    name = named["context"].get("user")
    if name is None:
        return ""
    entry = KubeConfigMerger(files).config["users"].get_with_name(name, safe=True)  # type: ignore[no-untyped-call]  # as above
    user = entry.safe_get("user") if entry is not None else None
    called = user.get("exec") if isinstance(user, dict) else None
    return str(called.get("command", "")) if isinstance(called, dict) else ""


def given(configuration: Configuration, command: str) -> None:
    """Raises ``Unreachable`` where the program has given nothing: it may the next time."""
    if configuration.api_key or configuration.cert_file:
        return
    raise Unreachable(
        f"The program {command} gave no credentials for the cluster.",
        hint="Run what `exec` says in the kubeconfig by hand, as the user that the bot runs as.",
    )


def read_again(
    configuration: Configuration, tokens: Callable[[], Mapping[str, str]], ticks: Ticks
) -> None:
    """Take over tokens that are renewed on disk, in the kubeconfig or in the file that it names.

    The client reads both once. ``tokens`` is what stands there, nothing where it cannot be read.
    """
    lock, due = Lock(), [ticks() + ANEW]

    def renew(of: Configuration) -> None:
        with lock:
            if ticks() < due[0]:
                return
            due[0] = ticks() + ANEW
            of.api_key.update(tokens())

    configuration.refresh_api_key_hook = renew  # type: ignore[assignment]  # the vendor says None


def bounded(configuration: Configuration, once: Bounded) -> None:
    """Let the client renew credentials within bounds."""
    renew: Any = configuration.refresh_api_key_hook
    if renew is not None:
        configuration.refresh_api_key_hook = lambda of: once(lambda: renew(of))  # type: ignore[assignment]  # the vendor says None
