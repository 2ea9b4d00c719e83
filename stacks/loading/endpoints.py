"""The API servers of a loaded fleet's spokes: where each is, with which CA, and how this machine gets there."""

from __future__ import annotations

import base64
from pathlib import Path

from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.access import Endpoint
from stacks.model.fleet import Fleet


def endpoints_of(fleet: Fleet, kubeconfig: Kubeconfig) -> dict[str, Endpoint]:
    """The endpoint of each spoke of a loaded `fleet`, by its name, in the order of the stack file.

    Raises KubeconfigError where the kubeconfig has changed since loading, OSError where a `tls.caFile` has gone.
    """
    found = {}
    for spoke in fleet.spokes:
        mine = fleet.needs_context(spoke) or spoke.in_cluster
        access = kubeconfig.access(spoke.context) if mine else None
        if spoke.tls.ca_file:
            ca_data = base64.b64encode(Path(spoke.tls.ca_file).read_bytes()).decode()
        elif access:
            ca_data = access.ca_data
        else:
            cluster = kubeconfig.cluster(spoke.context) if spoke.context else {}
            ca_data = cluster.get("certificate-authority-data") or ""
        found[spoke.name] = Endpoint(spoke.server, ca_data, access)
    return found
