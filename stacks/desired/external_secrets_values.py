"""The Helm values that External Secrets' chart is installed with, by Pulumi or by Argo CD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stacks.desired.external_secrets_chart import known
from stacks.model.fleet import Fleet

KEEP = {"helm.sh/resource-policy": "keep"}
"""What Pulumi, Argo CD and Helm alike take for "never delete": CRDs outlive the stack, see docs/adr."""

# Fleet gives it fewer rights than the chart does: see stacks/desired/external_secrets_rights.py.
_FLEETS_RIGHTS = {"create": False}
# Whoever may edit a namespace is not to edit ClusterSecretStores with it.
_CHARTS_RIGHTS = {
    "create": True,
    "serviceAccountTokenCreate": False,
    "aggregateToEdit": False,
    "aggregateToAdmin": False,
}


def chart_values(fleet: Fleet) -> dict[str, Any]:
    """Fleet's values with the stack file's merged over them, key by key; the fleet has `externalSecrets`.

    Only two can't be overridden: the ServiceAccount's name, which Vault's roles are bound to, and that the chart makes
    no CRDs where `crds` has them.
    """
    settings = fleet.external_secrets
    assert settings
    ours: dict[str, Any] = {
        "installCRDs": True,
        "crds": {"annotations": KEEP},
        "rbac": dict(_CHARTS_RIGHTS if known(settings).token_switch else _FLEETS_RIGHTS),
    }
    fixed: dict[str, Any] = {"serviceAccount": {"name": settings.service_account}}
    if settings.crds:
        fixed["installCRDs"] = False
        del ours["crds"]
    return _merged(_merged(ours, settings.values), fixed)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
