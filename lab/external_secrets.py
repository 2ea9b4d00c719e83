"""External Secrets: a controller per cluster that has it, with the rights that its chart gives it there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.argocd import NAMESPACE as ARGOCD
from lab.clusters import cluster_names
from lab.context import Lab
from lab.home import LabHome
from lab.kube import KubeApi
from lab.stand_in import StandIn
from lab.topology import HUB

_BY_ARGOCD = ("external_secrets_delivery", "argocd")
"""The label of a cluster Secret whose spoke gets External Secrets from Argo CD."""
_DELIVERY_SECONDS = 240


def await_delivery(lab: Lab, clusters: Sequence[str]) -> list[str]:
    """Start it on these clusters as Argo CD brings it to them; returns those it has not reached in time."""
    end = time.monotonic() + _DELIVERY_SECONDS
    waiting = list(clusters)
    while waiting and time.monotonic() < end:
        started = CONTROLLER.boot(lab, waiting)
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


def part_names(home: LabHome) -> list[str]:
    """The controllers that the lab should have: each spoke's, and the hub's where the hub has External Secrets."""
    names = cluster_names(home)
    return [
        CONTROLLER.part(name) for name in names if name != HUB or CONTROLLER.was_started(home, name)
    ]


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


def _command(lab: Lab, part: str) -> tuple[Sequence[str | Path], str]:
    metrics = lab.port(part, of=part)
    command: list[str | Path] = [
        lab.toolbox.bin("external-secrets"),
        f"--metrics-addr=127.0.0.1:{metrics}",
        "--concurrent=1",
        "--loglevel=info",
        "--store-requeue-interval=30s",
    ]
    return command, f"http://127.0.0.1:{metrics}/metrics"


CONTROLLER = StandIn("external-secrets", _command)
