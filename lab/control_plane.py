"""The processes of a cluster's control plane, with their flags."""

from __future__ import annotations

from pathlib import Path

from lab.context import CHECKOUT, Lab
from lab.home import write_private
from lab.kube import api_part, certificate_user, kubeconfig
from lab.pki import KeyPair, cluster_pki, server_pki
from lab.processes import Part

ETCD = "etcd"
CONTROLLERS = (
    "namespace",
    "serviceaccount",
    "serviceaccount-token",
    "garbage-collector",
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
    "job",
    "endpoints",
    "endpointslice",
    "clusterrole-aggregation",
    "root-ca-certificate-publisher",
)
"""What makes workloads available and Services ready, and cleans up after them. No node-lifecycle: nothing would
renew the fake node's lease, and its pods would be evicted."""


def etcd(lab: Lab) -> Part:
    """The one etcd: every cluster has a prefix of its own in it."""
    client, peer = (lab.port(name, of=ETCD) for name in (ETCD, "etcd-peer"))
    authority, server, _ = server_pki(lab.home, ETCD)
    command: list[str | Path] = [
        lab.toolbox.bin("etcd"),
        "--name=lab",
        f"--data-dir={lab.home.etcd}",
        f"--listen-client-urls=https://127.0.0.1:{client}",
        f"--advertise-client-urls=https://127.0.0.1:{client}",
        f"--listen-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=https://127.0.0.1:{peer}",
        f"--initial-cluster=lab=https://127.0.0.1:{peer}",
        # it holds every cluster's Secrets: loopback alone would let any user of the machine read
        "--client-cert-auth",
        "--peer-client-cert-auth",
        *(
            f"--{kind}{flag}"
            for kind in ("", "peer-")
            for flag in (
                f"cert-file={server.certificate}",
                f"key-file={server.key}",
                f"trusted-ca-file={authority.certificate}",
            )
        ),
        "--unsafe-no-fsync",  # a lab outlives its processes, not a power cut
        "--snapshot-count=5000",
        "--auto-compaction-retention=30m",
        "--quota-backend-bytes=2147483648",
        "--log-level=warn",
    ]
    return Part(name=ETCD, command=command, env=lab.base_env())


def api_server(lab: Lab, cluster: str) -> Part:
    """A cluster's API server: its own authority, issuer and ServiceAccount keys."""
    name, pki = api_part(cluster), cluster_pki(lab.home, cluster)
    # the address is the issuer in every ServiceAccount token and stands in the cluster Secret
    port = lab.port(name, of=name, pinned=True)
    authority, _, client = server_pki(lab.home, ETCD)
    issuer = f"https://127.0.0.1:{port}"
    command: list[str | Path] = [
        lab.toolbox.bin("kube-apiserver"),
        f"--etcd-servers=https://127.0.0.1:{lab.ports.get(ETCD)}",
        f"--etcd-prefix=/clusters/{cluster}",
        f"--etcd-cafile={authority.certificate}",
        f"--etcd-certfile={client.certificate}",
        f"--etcd-keyfile={client.key}",
        "--etcd-compaction-interval=0",  # etcd does it once for all clusters
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki.apiserver.certificate}",
        f"--tls-private-key-file={pki.apiserver.key}",
        f"--client-ca-file={pki.authority.certificate}",
        "--authorization-mode=RBAC",
        "--anonymous-auth=true",  # so that OpenBao can read the issuer's keys
        f"--service-account-issuer={issuer}",
        f"--service-account-jwks-uri={issuer}/openid/v1/jwks",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        # nodes would keep the not-ready taint that no node-lifecycle controller takes away
        "--disable-admission-plugins=TaintNodesByCondition",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
    ]
    return Part(name=name, command=command, env=lab.base_env())


def controller_manager(lab: Lab, cluster: str) -> Part:
    """A cluster's controllers. Each acts with its own ServiceAccount's rights, as usual."""
    pki = cluster_pki(lab.home, cluster)
    controllers = ",".join(f"{name}-controller" for name in CONTROLLERS)
    command: list[str | Path] = [
        lab.toolbox.bin("kube-controller-manager"),
        f"--kubeconfig={_part_kubeconfig(lab, cluster, 'kcm', pki.controller_manager)}",
        "--secure-port=0",
        "--leader-elect=false",
        f"--controllers={controllers}",
        f"--service-account-private-key-file={pki.service_account_key}",
        f"--root-ca-file={pki.authority.certificate}",
        "--use-service-account-credentials=true",
        "--concurrent-gc-syncs=5",
        "--profiling=false",
    ]
    name = f"kube-controller-manager-{cluster}"
    return Part(name=name, command=command, env=lab.base_env())


def kwok(lab: Lab, cluster: str) -> Part:
    """KWOK, which plays the kubelet of the cluster's fake node."""
    pki = cluster_pki(lab.home, cluster)
    command: list[str | Path] = [
        lab.toolbox.bin("kwok"),
        f"--config={_stages(lab)}",
        f"--kubeconfig={_part_kubeconfig(lab, cluster, 'kwok', pki.admin)}",
        "--manage-all-nodes=true",
        "--node-ip=127.0.0.1",
        "--cidr=10.64.0.0/16",
        "--node-lease-duration-seconds=0",
    ]
    return Part(name=f"kwok-{cluster}", command=command, env=lab.base_env())


def parts_of(cluster: str) -> list[str]:
    """The names of a cluster's processes."""
    return [api_part(cluster), f"kube-controller-manager-{cluster}", f"kwok-{cluster}"]


def _part_kubeconfig(lab: Lab, cluster: str, user: str, pair: KeyPair) -> Path:
    path = lab.home.pki / cluster / f"{user}.kubeconfig"
    content = kubeconfig(lab.home, {cluster: (user, certificate_user(pair))}, cluster)
    if not path.exists() or path.read_text() != content:
        write_private(path, content)
    return path


def _stages(lab: Lab) -> Path:
    """KWOK's stages and the lab's own, in the one file that KWOK takes."""
    folders = (lab.toolbox.share("kwok") / "stages", CHECKOUT / "lab" / "kwok")
    files = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    write_private(path := lab.home.root / "kwok.yaml", "\n---\n".join(f.read_text() for f in files))
    return path
