"""The spokes by Argo CD's own eyes: its cluster Secrets, and what a spoke says to the credential in one.

What Argo CD itself thinks of a cluster is in the cache of its controllers, which nobody else can read. So this machine
comes to the spoke as Argo CD does, and asks what changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from fleet import durations
from fleet.facts import Registration
from live.cluster_api import ClusterAPI, Refused, Unreachable
from stacks.desired.contract import CLUSTER_SECRET_TYPE
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

PARALLEL = 32
# https://argo-cd.readthedocs.io/en/stable/operator-manual/argocd-cm-yaml/, `timeout.reconciliation` and its jitter.
_DEFAULTS = {"timeout.reconciliation": "120s", "timeout.reconciliation.jitter": "60s"}
_SELECTOR = ",".join(f"{key}={value}" for key, value in CLUSTER_SECRET_TYPE.items())
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# What names a credential that only Argo CD's pods can make, or a way that may lead there from the hub alone.
_ELSEWHERE = ("execProviderConfig", "awsAuthConfig", "proxyUrl")

Object = Mapping[str, Any]


def ask(hub: ClusterAPI, fleet: Fleet) -> dict[str, Registration] | None:
    """The stack's spokes that Argo CD has a cluster Secret for, by name; None where those can't be read."""
    try:
        path = f"/api/v1/namespaces/{fleet.argocd.namespace}/secrets"
        items = list(hub.items(path, _SELECTOR))
    except Unreachable:
        return None
    ours = {spoke.name: spoke for spoke in fleet.spokes}
    found = [(spoke, item) for item in items if (spoke := ours.get(_text(item, "name")))]
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        answers = pool.map(lambda one: _registration(fleet, *one), found)
        return {spoke.name: answer for (spoke, _), answer in zip(found, answers, strict=True)}


def reconciles_within(hub: ClusterAPI, namespace: str) -> float:
    """Seconds in which Argo CD compares every Application with its commit anew; 0 where it does so only when told."""
    try:
        said = hub.json(f"/api/v1/namespaces/{namespace}/configmaps/argocd-cm").get("data") or {}
    except Unreachable:
        said = {}
    timeout, jitter = (_seconds(said.get(key), default) for key, default in _DEFAULTS.items())
    return timeout + jitter if timeout else 0


def _seconds(text: object, default: str) -> float:
    try:
        return float(text) if str(text).isdigit() else durations.seconds(str(text or default))  # type: ignore[arg-type]
    except ValueError:
        return durations.seconds(default)


def _registration(fleet: Fleet, spoke: Spoke, item: Object) -> Registration:
    changed = max(_written(item), default=None)
    if spoke.in_cluster or spoke.quarantine:
        return Registration(changed)
    kubeconfig = _as_argocd(item)
    if not kubeconfig:
        return Registration(changed)
    try:
        trouble = _refusal(fleet, spoke, ClusterAPI(kubeconfig, spoke.name))
    except Refused as error:
        return Registration(changed, tried=True, trouble=str(error))
    except Unreachable:
        # The hub's way to the spoke may not be this machine's.
        return Registration(changed)
    return Registration(changed, tried=True, trouble=trouble)


def _refusal(fleet: Fleet, spoke: Spoke, api: ClusterAPI) -> str:
    """What of Argo CD's rights is missing, in words. Raises Unreachable, Refused where nobody there knows it."""
    wanted = {"group": "apps", "resource": "deployments", "verb": "list"}
    for namespace in fleet.rbac_of(spoke).namespaces[:1]:
        wanted["namespace"] = namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    allowed = (api.post(_REVIEW, review).get("status") or {}).get("allowed")
    # What another identity than Fleet's own may do is its owner's business.
    if allowed or not spoke.has_identity:
        return ""
    return "403 it may not list deployments"


def _as_argocd(item: Object) -> Kubeconfig | None:
    """How Argo CD comes to the cluster of this cluster Secret; None where this machine can't come like that."""
    name, server = _text(item, "name"), _text(item, "server")
    try:
        config = json.loads(_text(item, "config") or "{}")
        tls = config.get("tlsClientConfig") or {}
        # Nor does a credential go to whoever answers: what Argo CD is told not to check, its network may vouch for.
        elsewhere = any(map(config.get, _ELSEWHERE)) or tls.get("insecure")
    except (ValueError, AttributeError):
        return None
    if elsewhere or not server.startswith("https://"):
        return None
    cluster = {
        "server": server,
        "certificate-authority-data": tls.get("caData"),
        "tls-server-name": tls.get("serverName"),
    }
    user = {
        "token": config.get("bearerToken"),
        "username": config.get("username"),
        "password": config.get("password"),
        "client-certificate-data": tls.get("certData"),
        "client-key-data": tls.get("keyData"),
    }
    user = {key: value for key, value in user.items() if value}
    if not user:
        return None
    return Kubeconfig(
        "Argo CD's cluster Secret",
        contexts={name: {"cluster": name, "user": name}},
        clusters={name: {key: value for key, value in cluster.items() if value}},
        users={name: user},
    )


def _written(item: Object) -> Iterator[datetime]:
    """When the cluster Secret was written, by each who wrote it."""
    metadata = item["metadata"]
    times = [entry.get("time") for entry in metadata.get("managedFields") or ()]
    for text in (metadata.get("creationTimestamp"), *times):
        if text:
            yield datetime.fromisoformat(str(text))


def _text(item: Object, key: str) -> str:
    try:
        return base64.b64decode((item.get("data") or {}).get(key) or "").decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""
