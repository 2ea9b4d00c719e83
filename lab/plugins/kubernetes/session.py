"""One provider instance's way to its cluster: connected once, and told why when it can't be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from lab.plugins.kubernetes import kubeconfig
from lab.plugins.kubernetes.cluster import ApiError, Cluster, NoMatch, Unreachable
from lab.plugins.kubernetes.objects import namespaced_by_table, text
from lab.plugins.kubernetes.settings import Settings
from lab.plugins.kubernetes.wire import Object


class Log(Protocol):
    """How the plugin speaks to the user: a line on a resource's row of the display."""

    def __call__(self, severity: str, message: str, urn: str = "", /) -> None:
        """Show `message` with DEBUG, INFO, WARNING or ERROR."""


class Cancelled(Exception):
    """The user pressed Ctrl-C."""


class Session:
    """The cluster behind the provider's settings, connected at the first use."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.settings = settings
        self.log = log
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None
        self._reason = ""
        self._scopes: dict[tuple[str, str], bool] = {}
        self._namespace = settings.namespace or ""

    def cluster(self) -> Cluster:
        """Return the connected cluster; raises `Unreachable` with the reason, always the same."""
        with self._lock:
            if self._cluster is None and not self._reason:
                try:
                    self._cluster = self._connect()
                except (kubeconfig.KubeconfigError, Unreachable) as error:
                    self._reason = str(error)
            if self._cluster is None:
                raise Unreachable(self._reason)
            return self._cluster

    def _connect(self) -> Cluster:
        given = self.settings
        if given.unknown:
            raise Unreachable("the provider's kubeconfig is not known yet")
        config = kubeconfig.load(given.kubeconfig)
        cluster = Cluster(kubeconfig.access(config, given.context, given.cluster))
        try:
            cluster.probe()
        except ApiError as error:
            if error.code != 403:  # 403: reachable, and /version is not for everybody
                raise Unreachable(str(error)) from None
        return cluster

    def unreachable(self) -> str:
        """Return why the cluster can't be reached, empty where it can."""
        try:
            self.cluster()
        except Unreachable as error:
            return str(error)
        return ""

    def default_namespace(self) -> str:
        """Return the namespace of objects that name none."""
        if not self._namespace:
            given = self.settings
            try:
                config = kubeconfig.load(given.kubeconfig)
                found = kubeconfig.active_cluster(config, given.context, given.cluster)[2]
            except kubeconfig.KubeconfigError:
                found = "default"
            self._namespace = found
        return self._namespace

    def learn_crd(self, crd: Object) -> None:
        """Remember the scope that a CRD of this program will give to its kind."""
        spec = crd.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
            return
        key = (text(spec.get("group")), text(spec["names"].get("kind")))
        self._scopes[key] = spec.get("scope") == "Namespaced"

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """Tell whether a kind has a namespace; None where nobody can know yet."""
        known = namespaced_by_table(api_version, kind)
        if known is None:
            known = self._scopes.get((api_version.rpartition("/")[0], kind))
        if known is None:
            try:
                known = self.cluster().kind(api_version, kind).namespaced
            except (NoMatch, ApiError, Unreachable):
                return None
        return known

    def wait_for(
        self, check: Callable[[], str | None], seconds: float, *, slowest: float = 1.0
    ) -> str | None:
        """Repeat `check` until it returns None or `seconds` are over; return its last answer.

        Raises `Cancelled` when the user interrupts.
        """
        end, pause = time.monotonic() + seconds, 0.05
        while (answer := check()) is not None and (left := end - time.monotonic()) > 0:
            if self.cancelled.wait(min(pause, left)):
                raise Cancelled
            pause = min(pause * 1.6, slowest)
        return answer
