"""The lab's clusters: the hub and the spokes, which may come and go while the others run."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml

from lab import control_plane, exec_credential
from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.kube import KubeApi, api_part, certificate_user, kubeconfig, tls_client
from lab.lock import locked
from lab.pki import cluster_pki, server_pki
from lab.topology import HUB, topology_of

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_BOOT_SECONDS = 120


def cluster_names(home: LabHome) -> list[str]:
    """The lab's clusters, the hub first."""
    try:
        names: list[str] = json.loads(home.clusters.read_text())
    except FileNotFoundError:
        return list(topology_of(home).clusters)
    return names


def boot(lab: Lab, names: Sequence[str] | None = None) -> None:
    """Start etcd and these clusters (all, if none is named) at once; returns when they are ready.

    What runs already is left alone. Raises :class:`LabError`.
    """
    names = cluster_names(lab.home) if names is None else names
    for name in names:
        cluster_pki(lab.home, name)
    exec_credential.place(lab.home)
    _boot_etcd(lab)
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        for done in [pool.submit(_boot_cluster, lab, name) for name in names]:
            done.result()
    known = cluster_names(lab.home)
    _remember(lab.home, [*known, *(name for name in names if name not in known)])


def add_cluster(lab: Lab, name: str) -> None:
    """Boot one more cluster beside the running ones and give it a context.

    It becomes a spoke as any cluster does: by a block in the stack file. Raises
    :class:`LabError`.
    """
    if not _NAME.fullmatch(name):
        raise LabError(f"'{name}' is no name for a cluster: use a-z, 0-9 and '-', at most 42")
    if name in cluster_names(lab.home) and all(
        lab.processes.is_running(part) for part in control_plane.parts_of(name)
    ):
        raise LabError(f"the lab has a cluster {name} already")
    with locked(lab.home.create()):
        boot(lab, [name])


def remove_cluster(lab: Lab, name: str) -> None:
    """Stop a cluster and drop its context, state, certificates and port, for good."""
    names = cluster_names(lab.home)
    if name not in names:
        raise LabError(f"the lab has no cluster {name}; there are: {', '.join(names)}")
    if name == HUB:
        raise LabError("the hub can't be removed; 'fleet lab down --wipe' drops the whole lab")
    with locked(lab.home):
        parts = [*control_plane.parts_of(name), f"external-secrets-{name}"]
        lab.processes.stop(parts)
        if not lab.processes.is_running(control_plane.ETCD):
            _boot_etcd(lab)
        _delete_state(lab, name)
        _remember(lab.home, [other for other in names if other != name])
        shutil.rmtree(lab.home.pki / name, ignore_errors=True)
        for part in parts:
            lab.ports.forget(part)


def _boot_etcd(lab: Lab) -> None:
    lab.start(control_plane.etcd(lab))
    authority, _, client = server_pki(lab.home, control_plane.ETCD)
    address = f"https://127.0.0.1:{lab.ports.get(control_plane.ETCD)}"
    with tls_client(authority, client, base_url=address) as http:
        probe = lambda: http.get("/health").is_success  # noqa: E731 - a probe, used once
        lab.processes.wait_ready(control_plane.ETCD, probe, 60)


def _boot_cluster(lab: Lab, cluster: str) -> None:
    lab.start(control_plane.api_server(lab, cluster))
    with KubeApi(lab.home, cluster) as api:
        lab.processes.wait_ready(api_part(cluster), api.ready, _BOOT_SECONDS)
        for path, body in _foundation(cluster):
            api.apply(path, body)
        for part in (control_plane.controller_manager, control_plane.kwok):
            lab.start(part(lab, cluster))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        manager = f"kube-controller-manager-{cluster}"
        lab.processes.wait_ready(manager, lambda: api.get(account) is not None, 60)
        for path, body in exec_credential.access():  # in a namespace that is there by now
            api.apply(path, body)
        node = f"/api/v1/nodes/{_node(cluster)}"
        lab.processes.wait_ready(f"kwok-{cluster}", lambda: _is_ready(api.get(node)), 60)


def _foundation(cluster: str) -> list[tuple[str, dict[str, Any]]]:
    """What the lab itself puts into a cluster: objects by their paths.

    A fake node; a policy that binds every pod to it, in place of a scheduler; and leave for
    anyone to read the issuer's keys, as with a cloud's public issuer.
    """
    rbac, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
    node, policy = _node(cluster), "lab-bind-pods"
    labels = {"kubernetes.io/hostname": node, "kubernetes.io/os": "linux", "type": "kwok"}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return [
        (
            f"/apis/{rbac}/v1/clusterrolebindings/lab-issuer-discovery",
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "lab-issuer-discovery"},
                "roleRef": {
                    "apiGroup": rbac,
                    "kind": "ClusterRole",
                    "name": "system:service-account-issuer-discovery",
                },
                "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "system:unauthenticated"}],
            },
        ),
        (
            f"/apis/{admission}/v1/mutatingadmissionpolicies/{policy}",
            {
                "apiVersion": f"{admission}/v1",
                "kind": "MutatingAdmissionPolicy",
                "metadata": {"name": policy},
                "spec": {
                    "matchConstraints": {"resourceRules": [{**pods, "operations": ["CREATE"]}]},
                    "failurePolicy": "Fail",
                    "reinvocationPolicy": "Never",
                    "mutations": [
                        {
                            "patchType": "ApplyConfiguration",
                            "applyConfiguration": {
                                "expression": f'Object{{spec: Object.spec{{nodeName: "{node}"}}}}'
                            },
                        }
                    ],
                },
            },
        ),
        (
            f"/apis/{admission}/v1/mutatingadmissionpolicybindings/{policy}",
            {
                "apiVersion": f"{admission}/v1",
                "kind": "MutatingAdmissionPolicyBinding",
                "metadata": {"name": policy},
                "spec": {"policyName": policy},
            },
        ),
        (
            f"/api/v1/nodes/{node}",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": node,
                    "labels": {**labels, "kubernetes.io/arch": "amd64"},
                    "annotations": {"kwok.x-k8s.io/node": "fake"},
                },
            },
        ),
    ]


def _node(cluster: str) -> str:
    return f"{cluster}-node-0"


def _is_ready(node: dict[str, Any] | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _remember(home: LabHome, names: Sequence[str]) -> None:
    """Keep the list of clusters, and the kubeconfig with it."""
    write_private(home.clusters, json.dumps(list(names)))
    current: str = HUB
    if home.kubeconfig.exists():  # the person may have switched
        chosen = (yaml.safe_load(home.kubeconfig.read_text()) or {}).get("current-context")
        current = str(chosen) if chosen in names else HUB
    users = {
        name: (f"{name}-admin", certificate_user(cluster_pki(home, name).admin)) for name in names
    }
    write_private(home.kubeconfig, kubeconfig(home, users, current))


def _delete_state(lab: Lab, cluster: str) -> None:
    """Delete a cluster's keys from etcd, by way of its JSON gateway."""
    authority, _, client = server_pki(lab.home, control_plane.ETCD)
    address = f"https://127.0.0.1:{lab.ports.get(control_plane.ETCD)}"
    first, end = f"/clusters/{cluster}/", f"/clusters/{cluster}0"  # '0' comes after '/'
    body = {
        "key": base64.b64encode(first.encode()).decode(),
        "range_end": base64.b64encode(end.encode()).decode(),
    }
    with tls_client(authority, client, base_url=address) as http:
        answer = http.post("/v3/kv/deleterange", json=body)
    if not answer.is_success:
        raise LabError(f"etcd refused to delete the state of {cluster}: {answer.text.strip()}")
