"""External Secrets: one controller per spoke, with the rights that its chart gives it there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from lab.clusters import HUB, cluster_names
from lab.context import Lab
from lab.kube import KubeApi, service_account_kubeconfig
from lab.processes import Part

ACCOUNT = NAMESPACE = "external-secrets"


def boot(lab: Lab, spokes: Sequence[str] | None = None) -> list[str]:
    """Start a controller for each spoke that ``pulumi up`` made ready; returns those spokes."""
    if spokes is None:
        spokes = [name for name in cluster_names(lab.home) if name != HUB]
    with ThreadPoolExecutor(max_workers=max(1, len(spokes))) as pool:
        started = list(pool.map(lambda spoke: _boot_one(lab, spoke), spokes))
    return [spoke for spoke, running in zip(spokes, started, strict=True) if running]


def part_name(spoke: str) -> str:
    """The name of a spoke's controller among the lab's parts."""
    return f"external-secrets-{spoke}"


def _boot_one(lab: Lab, spoke: str) -> bool:
    name = part_name(spoke)
    with KubeApi(lab.home, spoke) as api:
        kubeconfig = service_account_kubeconfig(
            lab.home, api, NAMESPACE, ACCOUNT, folder="external-secrets"
        )
    if kubeconfig is None:
        lab.processes.stop([name])  # the account it ran with is gone
        return False
    metrics = lab.port(name, of=name)
    command: list[str | Path] = [
        lab.toolbox.bin("external-secrets"),
        f"--metrics-addr=127.0.0.1:{metrics}",
        "--concurrent=1",
        "--loglevel=info",
        "--store-requeue-interval=30s",
    ]
    env = lab.base_env(KUBECONFIG=kubeconfig)
    lab.start(Part(name=name, command=command, env=env))
    url = f"http://127.0.0.1:{metrics}/metrics"
    probe = lambda: httpx.get(url, trust_env=False, timeout=5).is_success  # noqa: E731
    lab.processes.wait_ready(name, probe, 60)
    return True
