"""The lab's home: the one folder that holds its state, logs, pids and secrets."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError


@dataclass(frozen=True)
class LabHome:
    """One lab's folder, outside the checkout. Two labs with two homes run side by side."""

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> LabHome:
        """``$FLEET_LAB``, else ``$XDG_STATE_HOME/fleet/lab``, else ``~/.local/state/fleet/lab``."""
        environ = os.environ if environ is None else environ
        if named := environ.get("FLEET_LAB"):
            return cls(Path(named).expanduser().absolute())
        state = environ.get("XDG_STATE_HOME")
        base = Path(state) if state else Path.home() / ".local" / "state"
        return cls(base.absolute() / "fleet" / "lab")

    def create(self) -> LabHome:
        """Make the folder and its parts, for this user only; raises :class:`LabError`."""
        if self.root.is_dir() and any(self.root.iterdir()) and not self.is_lab():
            raise LabError(
                f"{self.root} holds something else already. Set FLEET_LAB to a folder of its own."
            )
        try:
            for folder in (self.root, self.logs, self.pids, self.pki, self.tmp):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            raise LabError(
                f"the lab's folder {self.root} can't be made: {error.strerror}. "
                "Set FLEET_LAB to a folder that you may write to."
            ) from error
        return self

    def is_lab(self) -> bool:
        """Whether the folder is a lab's, and so may be filled and wiped."""
        return self.pids.is_dir() and self.pki.is_dir()

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        """One record per started part."""
        return self.root / "pids"

    @property
    def pki(self) -> Path:
        """Certificates and keys: a folder per cluster and one for OpenBao."""
        return self.root / "pki"

    @property
    def tmp(self) -> Path:
        """The parts' TMPDIR."""
        return self.root / "tmp"

    @property
    def kubeconfig(self) -> Path:
        """The person's kubeconfig: one context per cluster."""
        return self.root / "kubeconfig"

    @property
    def project(self) -> Path:
        """The Pulumi project that the lab is deployed from, with its stack files."""
        return self.root / "project"

    @property
    def lock(self) -> Path:
        """Held by whoever is starting or stopping parts."""
        return self.root / "lock"

    @property
    def ports(self) -> Path:
        """Which part has which port."""
        return self.root / "ports.json"

    @property
    def clusters(self) -> Path:
        """The names of the lab's clusters."""
        return self.root / "clusters.json"

    @property
    def topology(self) -> Path:
        """The name of the lab's topology."""
        return self.root / "topology"

    @property
    def plugins(self) -> Path:
        """Which Pulumi plugins the last start chose."""
        return self.root / "plugins.json"

    @property
    def etcd(self) -> Path:
        """Etcd's data, that of all clusters."""
        return self.root / "etcd"

    @property
    def openbao(self) -> Path:
        """OpenBao's data, configuration and unseal key."""
        return self.root / "openbao"

    @property
    def gitea(self) -> Path:
        """Gitea's data, configuration and the administrator's credentials."""
        return self.root / "gitea"

    @property
    def argocd(self) -> Path:
        """What Argo CD's controllers need: kubeconfigs, folders, the CLI's login."""
        return self.root / "argocd"

    @property
    def external_secrets(self) -> Path:
        """The kubeconfigs of the External Secrets controllers."""
        return self.root / "external-secrets"

    @property
    def prometheus(self) -> Path:
        """Prometheus' data and configuration, and the lists of what it scrapes."""
        return self.root / "prometheus"

    @property
    def bin(self) -> Path:
        """Programs of this lab's own."""
        return self.root / "bin"

    @property
    def pulumi_home(self) -> Path:
        """``PULUMI_HOME``: the CLI's settings and plugins."""
        return self.root / "pulumi"

    @property
    def pulumi_state(self) -> Path:
        """Pulumi's state, by way of its file backend."""
        return self.root / "pulumi-state"

    @property
    def gitops_config(self) -> Path:
        """The person's working clone of the gitops-config repo."""
        return self.root / "gitops-config"


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only this user may read: whole or not at all, never readable between."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    new.unlink(missing_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    new.replace(path)
