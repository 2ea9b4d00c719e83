"""One of the lab's clusters, and the real `pulumi` with the plugins that the lab chose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab import clusters, pulumi_plugins, up
from lab.context import Lab
from lab.home import LabHome, write_private
from lab.lock import locked
from lab.private_tmp import private_tmp
from lab.report import Reporter
from lab.toolchain import ensure
from lab.topology import HUB
from tests.real.gitea_server import gitea  # noqa: F401  # fixtures, as are the next ones
from tests.real.release_project import built, people, release  # noqa: F401
from tests.real.scaffold_project import Project as GitOpsProject
from tests.real.scaffold_project import a_project

TOOLS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "kwok",
    "pulumi", "pulumi-language-python", "pulumi-resource-kubernetes",
)  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """A running API server with its controllers."""

    lab: Lab

    @property
    def kubeconfig(self) -> str:
        return self.lab.home.kubeconfig.read_text()

    @property
    def port(self) -> int:
        return self.lab.ports.get(f"kube-apiserver-{HUB}")

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            [self.lab.toolbox.bin("kubectl"), f"--kubeconfig={self.lab.home.kubeconfig}", *args],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def get(self, *args: str) -> Any:
        return json.loads(self.kubectl("get", *args, "-o", "json"))


@dataclass
class Project:
    """One Pulumi project with a Python program and a file backend."""

    folder: Path
    cluster: Cluster
    seen: list[str] = field(default_factory=list)

    def write(self, program: str) -> None:
        """Write the program; `provider` and `o` (its options) are there already."""
        (self.folder / "kubeconfig").write_text(self.cluster.kubeconfig)
        head = (
            "import os, pulumi, pulumi_kubernetes as k8s\n"
            "provider = k8s.Provider('lab', kubeconfig=pulumi.Output.secret("
            "open('kubeconfig').read()), cluster_identifier='lab')\n"
            "o = pulumi.ResourceOptions(provider=provider)\n"
        )
        (self.folder / "__main__.py").write_text(head + program)

    def environment(self) -> dict[str, str]:
        lab = self.cluster.lab
        path = [str(Path(sys.executable).parent), lab.toolbox.path_env(), os.environ["PATH"]]
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PULUMI", "KUBE"))},
            "PATH": os.pathsep.join(path),
            "VIRTUAL_ENV": sys.prefix,
            "PULUMI_HOME": str(lab.home.pulumi_home),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Both ask servers that a closed machine can't reach: three seconds a call.
            "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def pulumi(self, *args: str, ok: bool = True, cut_off: bool = False, **env: str) -> str:
        """Run the CLI; returns what it printed, errors and all.

        A program that is cut off by a failed remote component ends in a traceback of its own.
        """
        with private_tmp(self.cluster.lab.home) as tmp:
            done = subprocess.run(
                ["pulumi", *args, "--non-interactive", "--color=never"],
                cwd=self.folder,
                env={**self.environment(), "TMPDIR": str(tmp), **env},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=180,
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
def cluster() -> Iterator[Cluster]:
    """The cluster that all tests share; each uses names of its own."""
    # A short path, as sockets need it; it ends with this process even when that is killed.
    home = LabHome(Path(tempfile.mkdtemp(prefix="fleet-real-"))).create()
    lab = Lab(home, ensure(TOOLS, console=Console(stderr=True)), Reporter())
    write_private(home.clusters, json.dumps([HUB]))
    try:
        with locked(home):
            up.start_janitor(lab, os.getpid())
            clusters.boot(lab)
        pulumi_plugins.choose(home, lab.toolbox)
        yield Cluster(lab)
    finally:
        up.down(home, wipe=True)


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    """An empty project with a stack `dev`."""
    made = Project(tmp_path, cluster)
    (tmp_path / "Pulumi.yaml").write_text(f"name: {tmp_path.name[:40]}\nruntime: python\n")
    (tmp_path / "state").mkdir()
    made.pulumi("stack", "init", "dev")
    return made


@pytest.fixture
def gitops_project(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> GitOpsProject:
    """A project with stack files for `fleet scaffold`, on a machine without a kubeconfig."""
    kustomize = ensure(["kustomize"], console=Console(stderr=True)).bin("kustomize")
    monkeypatch.setenv("PATH", str(Path(kustomize).parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return a_project(tmp_path)
