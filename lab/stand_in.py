"""Controllers on the host in the place of Pods: each there where the Deployment that it stands for is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.clusters import cluster_names
from lab.context import Lab
from lab.home import LabHome
from lab.kube import KubeApi, service_account_kubeconfig
from lab.processes import Part

_READY_SECONDS = 60


@dataclass(frozen=True)
class StandIn:
    """One kind of controller.

    `name` is what its namespace, its ServiceAccount, its folder in the lab's home and the beginning of its parts' names
    are. `command` gives, for the name of a part, what to run, and the address that answers once it is ready.
    """

    name: str
    command: Callable[[Lab, str], tuple[Sequence[str | Path], str]]

    def boot(self, lab: Lab, clusters: Sequence[str] | None = None) -> list[str]:
        """Start one on each of these clusters where it is installed; returns those clusters.

        It has the rights that the installation gives it there. All clusters are asked if none is named.
        """
        names = cluster_names(lab.home) if clusters is None else clusters
        with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
            started = list(pool.map(lambda name: self._boot_one(lab, name), names))
        return [name for name, running in zip(names, started, strict=True) if running]

    def part(self, cluster: str) -> str:
        """The name of a cluster's controller among the lab's parts."""
        return f"{self.name}-{cluster}"

    def was_started(self, home: LabHome, cluster: str) -> bool:
        """Whether there is to be one on a cluster, as far as the last start has seen."""
        return any(self._kubeconfigs(home, cluster))

    def is_installed(self, api: KubeApi) -> bool:
        """Whether there is a Deployment that the process stands for. It comes last, after the CRDs and the rights."""
        deployments = api.get(f"/apis/apps/v1/namespaces/{self.name}/deployments") or {}
        pods = (one["spec"]["template"]["spec"] for one in deployments.get("items", []))
        return any(pod.get("serviceAccountName") == self.name for pod in pods)

    def _boot_one(self, lab: Lab, cluster: str) -> bool:
        part = self.part(cluster)
        with KubeApi(lab.home, cluster) as api:
            kubeconfig = (
                service_account_kubeconfig(lab.home, api, self.name, self.name, folder=self.name)
                if self.is_installed(api)
                else None
            )
        if kubeconfig is None:
            lab.processes.stop([part])  # what it stood for is gone
            for old in self._kubeconfigs(lab.home, cluster):
                old.unlink()
            return False
        command, url = self.command(lab, part)
        lab.start(Part(name=part, command=command, env=lab.base_env(KUBECONFIG=kubeconfig)))
        probe = lambda: httpx.get(url, trust_env=False, timeout=5).is_success  # noqa: E731
        lab.processes.wait_ready(part, probe, _READY_SECONDS)
        return True

    def _kubeconfigs(self, home: LabHome, cluster: str) -> Iterator[Path]:
        return (home.root / self.name).glob(f"{self.name}-{cluster}-*.kubeconfig")
