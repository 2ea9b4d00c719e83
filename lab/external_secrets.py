"""External Secrets: a controller per cluster that has it, with the rights that its chart gives it there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from lab.argocd import NAMESPACE as ARGOCD
from lab.clusters import cluster_names
from lab.context import Lab
from lab.home import LabHome
from lab.kube import KubeApi, service_account_kubeconfig
from lab.processes import Part
from lab.topology import HUB

ACCOUNT = NAMESPACE = FOLDER = "external-secrets"
_BY_ARGOCD = ("external_secrets_delivery", "argocd")
"""The label of a cluster Secret whose spoke gets External Secrets from Argo CD."""
_DELIVERY_SECONDS = 240


def boot(lab: Lab, clusters: Sequence[str] | None = None) -> list[str]:
    """Start a controller on each of these clusters that External Secrets is installed on; returns those clusters.

    All clusters are asked if none is named.
    """
    names = cluster_names(lab.home) if clusters is None else clusters
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        started = list(pool.map(lambda name: _boot_one(lab, name), names))
    return [name for name, running in zip(names, started, strict=True) if running]


def await_delivery(lab: Lab, clusters: Sequence[str]) -> list[str]:
    """Start it on these clusters as Argo CD brings it to them; returns those it has not reached in time."""
    end = time.monotonic() + _DELIVERY_SECONDS
    waiting = list(clusters)
    while waiting and time.monotonic() < end:
        started = boot(lab, waiting)
        waiting = [name for name in waiting if name not in started]
        if waiting:
            time.sleep(1)
    return waiting


def delivered_by_argocd(lab: Lab) -> set[str]:
    """The clusters that get External Secrets from Argo CD, and so only some time after ``pulumi up``."""
    label, value = _BY_ARGOCD
    with KubeApi(lab.home, HUB) as hub:
        named = {
            str(labels["cluster_name"])
            for labels in _cluster_labels(hub)
            if labels.get(label) == value
        }
    return named & set(cluster_names(lab.home))


def part_name(cluster: str) -> str:
    """The name of a cluster's controller among the lab's parts."""
    return f"external-secrets-{cluster}"


def part_names(home: LabHome) -> list[str]:
    """The controllers that the lab should have: each spoke's, and the hub's where the hub has External Secrets."""
    names = cluster_names(home)
    return [part_name(name) for name in names if name != HUB or any(_kubeconfigs(home, name))]


def _cluster_labels(hub: KubeApi) -> list[dict[str, str]]:
    """The labels of every cluster Secret, and of those that are yet to be rendered from Vault."""
    secrets = hub.get(
        f"/api/v1/namespaces/{ARGOCD}/secrets?labelSelector=argocd.argoproj.io/secret-type=cluster"
    )
    rendered = hub.get(f"/apis/external-secrets.io/v1/namespaces/{ARGOCD}/externalsecrets")
    found: list[dict[str, Any]] = [one["metadata"] for one in (secrets or {}).get("items", [])]
    for one in (rendered or {}).get("items", []):
        found.append(one["spec"].get("target", {}).get("template", {}).get("metadata", {}))
    labels = [metadata.get("labels") or {} for metadata in found]
    return [one for one in labels if "cluster_name" in one]


def _kubeconfigs(home: LabHome, cluster: str) -> Iterator[Path]:
    return (home.root / FOLDER).glob(f"{ACCOUNT}-{cluster}-*.kubeconfig")


def _boot_one(lab: Lab, cluster: str) -> bool:
    name = part_name(cluster)
    with KubeApi(lab.home, cluster) as api:
        kubeconfig = (
            service_account_kubeconfig(lab.home, api, NAMESPACE, ACCOUNT, folder=FOLDER)
            if _is_installed(api)
            else None
        )
    if kubeconfig is None:
        lab.processes.stop([name])  # what it stood for is gone
        for old in _kubeconfigs(lab.home, cluster):
            old.unlink()
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


def _is_installed(api: KubeApi) -> bool:
    """Whether there is a Deployment that the process stands for. It comes last, after the CRDs and the rights."""
    deployments = api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments") or {}
    pods = (one["spec"]["template"]["spec"] for one in deployments.get("items", []))
    return any(pod.get("serviceAccountName") == ACCOUNT for pod in pods)
