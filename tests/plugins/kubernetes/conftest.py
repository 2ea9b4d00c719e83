"""A real control plane on loopback, and the real `pulumi` with the plugin on PATH."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "clusterrole-aggregation-controller",
)
CHECKOUT = Path(__file__).resolve().parents[3]
TOOLS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "pulumi", "helm")


def tool_path() -> str:
    """PATH with the lab's tools in front."""
    root = Path(os.environ.get("FLEET_TOOLS", Path.home() / ".cache/fleet/tools"))
    return os.pathsep.join([*map(str, sorted(root.glob("*/bin"))), os.environ["PATH"]])


def missing_tools() -> list[str]:
    return [name for name in TOOLS if not shutil.which(name, path=tool_path())]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ControlPlane:
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def start(self, *command: str) -> None:
        name = Path(command[0]).name
        log = (self.folder / f"{name}.log").open("wb")
        env = {**os.environ, "PATH": tool_path()}
        found = shutil.which(command[0], path=tool_path()) or command[0]
        self.processes.append(
            subprocess.Popen([found, *command[1:]], stdout=log, stderr=log, env=env)
        )

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *args],
            env={**os.environ, "PATH": tool_path()},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def get(self, *args: str) -> Any:
        return json.loads(self.kubectl("get", *args, "-o", "json", "--show-managed-fields"))

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Start the processes, wait until the API server is ready, and end them by pid."""
    plane = ControlPlane(folder)
    client, peer, plane.port = free_port(), free_port(), free_port()
    _certificates(folder, plane.port)
    try:
        etcd = f"http://127.0.0.1:{client}"
        plane.start(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        plane.start(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={plane.port}",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={folder / 'server.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}",
            f"--client-ca-file={folder / 'ca.crt'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://lab.test",
            f"--service-account-key-file={folder / 'sa.key'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
        )
        _wait_ready(plane)
        plane.start(
            "kube-controller-manager",
            f"--kubeconfig={plane.kubeconfig}",
            "--secure-port=0",
            "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--service-account-private-key-file={folder / 'sa.key'}",
            f"--root-ca-file={folder / 'ca.crt'}",
        )
        yield plane
    finally:
        plane.stop()


def _wait_ready(plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    context.load_cert_chain(plane.folder / "admin.crt", plane.folder / "admin.key")
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            url = f"https://127.0.0.1:{plane.port}/readyz"
            if urllib.request.urlopen(url, context=context, timeout=2).read() == b"ok":
                return
        if plane.processes[-1].poll() is not None:
            break
        time.sleep(0.1)
    log = (plane.folder / "kube-apiserver.log").read_text()[-2000:]
    raise AssertionError(f"kube-apiserver did not become ready: {log}")


def _certificates(folder: Path, port: int) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("lab-ca", None, ca_key, None, ca_key)
    _write(folder / "ca.crt", ca)
    for name, organization in (("server", None), ("admin", "system:masters")):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{name}.crt", _certificate(name, organization, key, ca, ca_key))
        _write_key(folder / f"{name}.key", key)
    _write_key(folder / "sa.key", rsa.generate_private_key(65537, 2048))

    def data(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "server": f"https://127.0.0.1:{port}",
                    "certificate-authority-data": data("ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": "admin",
                "user": {
                    "client-certificate-data": data("admin.crt"),
                    "client-key-data": data("admin.key"),
                },
            }
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))


def _certificate(name: str, organization: str | None, key: Any, ca: Any, ca_key: Any) -> Any:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    subject = x509.Name(names)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
    )
    if ca:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _write(path: Path, certificate: Any) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: Any) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


@dataclass
class Project:
    """One Pulumi project with a Python program, a file backend and the plugin under test."""

    folder: Path
    plane: ControlPlane
    seen: list[str] = field(default_factory=list)

    def write(self, program: str) -> None:
        """Write the program; `provider` and `o` (its options) are there already."""
        head = (
            "import os, pulumi, pulumi_kubernetes as k8s\n"
            "provider = k8s.Provider('lab', kubeconfig=pulumi.Output.secret("
            f"open({str(self.plane.kubeconfig)!r}).read()), cluster_identifier='lab')\n"
            "o = pulumi.ResourceOptions(provider=provider)\n"
        )
        (self.folder / "__main__.py").write_text(head + program)

    def environment(self) -> dict[str, str]:
        path = [str(CHECKOUT / "lab/plugins/bin"), str(Path(sys.executable).parent), tool_path()]
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PULUMI", "KUBE"))},
            "PATH": os.pathsep.join(path),
            "VIRTUAL_ENV": sys.prefix,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Both ask servers that a closed machine can't reach: three seconds a call.
            "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "FLEET_PLUGIN_DEBUG": "1",
        }

    def pulumi(self, *args: str, ok: bool = True, cut_off: bool = False, **env: str) -> str:
        """Run the CLI; returns what it printed, errors and all.

        A program that is cut off by a failed remote component ends in a traceback of its own.
        """
        done = subprocess.run(
            ["pulumi", *args, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env={**self.environment(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.seen.append(done.stdout)
        assert (done.returncode == 0) == ok, done.stdout
        assert cut_off or "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def up(self, *args: str, ok: bool = True, cut_off: bool = False, **env: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", *args, ok=ok, cut_off=cut_off, **env)

    def destroy(self, *args: str, ok: bool = True, **env: str) -> str:
        return self.pulumi("destroy", "--yes", "--skip-preview", *args, ok=ok, **env)

    def resources(self) -> dict[str, dict[str, Any]]:
        """State by resource name."""
        text = self.pulumi("stack", "export")
        found = json.loads(text[text.index("{") :])["deployment"].get("resources") or []
        return {one["urn"].split("::", 3)[-1]: one for one in found}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The API server all tests share; each uses names of its own."""
    missing = missing_tools()
    if missing:
        pytest.skip(f"not built yet: {', '.join(missing)} (see lab/toolchain.py)")
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, plane: ControlPlane) -> Project:
    """An empty project with a stack `dev`."""
    made = Project(tmp_path, plane)
    (tmp_path / "Pulumi.yaml").write_text(f"name: {tmp_path.name[:40]}\nruntime: python\n")
    for folder in ("home", "state"):
        (tmp_path / folder).mkdir()
    (tmp_path / "home/logs").touch()  # a plain file: the CLI then writes no log of its own
    made.pulumi("stack", "init", "dev")
    return made
