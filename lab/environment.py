"""The environment that the lab gives to ``pulumi``, ``kubectl``, ``bao``, ``argocd`` and a shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lab import (
    argocd_login,
    chart_repo,
    exec_credential,
    forge,
    prometheus,
    pulumi_plugins,
    vault,
)
from lab.home import LabHome
from lab.toolchain import Toolbox
from lab.topology import topology_of

PASSPHRASE = "fleet-lab"  # noqa: S105 - no secret: the lab's state never leaves this machine
"""Of the lab's stacks; each one's salt is in its stack file."""
_LOOPBACK = ("127.0.0.1", "localhost")


def variables(home: LabHome, toolbox: Toolbox) -> dict[str, str]:
    """The variables to set over one's own environment, once the lab was started.

    Among them are OpenBao's root token and PATH, which goes on with the caller's PATH. Of several stacks,
    ``PULUMI_STACK`` is the first.
    """
    address, authority = vault.address(home), vault.authority_file(home)
    token = vault.root_token(home)
    found = {
        "FLEET_LAB": str(home.root),
        "KUBECONFIG": str(home.kubeconfig),
        "FLEET_GITOPS_REPO": forge.repo_url(home),
        "FLEET_ARGOCD_MANIFEST": str(toolbox.share("argocd") / "install.yaml"),
        "FLEET_ARGO_ROLLOUTS_MANIFEST": str(toolbox.share("argo-rollouts") / "install.yaml"),
        "FLEET_EXTERNAL_SECRETS_CRDS": str(toolbox.share("external-secrets") / "crds.yaml"),
        "FLEET_EXTERNAL_SECRETS_CHART": str(toolbox.share("external-secrets") / "chart"),
        "FLEET_EXTERNAL_SECRETS_VERSION": chart_repo.version(toolbox),
        "FLEET_CHART_REPO": chart_repo.url(home),
        "FLEET_PROMETHEUS": prometheus.address(home),
        "FLEET_EXEC_PLUGIN": str(exec_credential.program(home)),
        **{f"{product}_ADDR": address for product in ("VAULT", "BAO")},
        **{f"{product}_CACERT": authority for product in ("VAULT", "BAO")},
        **{f"{product}_TOKEN": token for product in ("VAULT", "BAO")},
        "ARGOCD_CONFIG_DIR": str(argocd_login.config_folder(home)),
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{home.pulumi_state}",
        "PULUMI_STACK": topology_of(home).stacks[0],
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        # a copy of the whole state per change; the state itself is written all the same
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
        "PATH": os.pathsep.join(_path(toolbox)),
        **{name: _no_proxy() for name in ("NO_PROXY", "no_proxy")},
    }
    if any(plugin.origin != "official" for plugin in pulumi_plugins.chosen(home)):
        found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if sys.prefix != sys.base_prefix:
        found["VIRTUAL_ENV"] = sys.prefix
    return found


def plugins(home: LabHome) -> list[tuple[str, str, str]]:
    """The Pulumi plugins in use: name, version, and ``official``, ``built`` or ``lab``."""
    return [(one.name, one.version, one.origin) for one in pulumi_plugins.chosen(home)]


def _path(toolbox: Toolbox) -> list[str]:
    """The interpreter's folder, the tools, then the caller's."""
    folders = [str(Path(sys.prefix) / "bin"), *toolbox.path_env().split(os.pathsep)]
    return list(dict.fromkeys([*folders, *os.environ.get("PATH", os.defpath).split(os.pathsep)]))


def _no_proxy() -> str:
    before = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    return ",".join(dict.fromkeys([*filter(None, before.split(",")), *_LOOPBACK]))
