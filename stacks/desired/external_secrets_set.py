"""External Secrets and the stores by Argo CD: one ApplicationSet with the Helm chart, filled from the contract.

Pure: `FleetApplicationSets` makes it so.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from stacks.desired import application_template, external_secrets_values, sets
from stacks.desired.contract import STORES_ANNOTATION
from stacks.model.fleet import Fleet
from stacks.model.vault import ExternalSecrets

RELEASE = "external-secrets"
OCI = "oci://"
# Argo CD takes the chart's "keep" for "don't delete with the Application"; a kind that leaves the chart it would prune,
# and with a CRD goes every object of its kind: docs/adr/0004.
CRD_ANNOTATIONS = {"argocd.argoproj.io/sync-options": "Prune=false"}

# The annotation is a JSON list, joined to the objects of the stack file without its brackets. The chart hands every
# object to Helm's `tpl`, which must not take a brace of a store's for a template.
_BRACES = "{{`{{`}}"
_JOINED = 'trimAll "[]" | replace "{{" "' + _BRACES + '"'
_STORES = "{{.metadata.annotations." + STORES_ANNOTATION + " | " + _JOINED + "}}"


def set_spec(fleet: Fleet, stack: str) -> dict[str, Any]:
    """The spec of `external-secrets-<stack>`: an Application `<cluster>-external-secrets` per spoke."""
    settings = _settings(fleet)
    return application_template.spec(
        generator={"clusters": {"selector": sets.external_secrets_selector(stack)}},
        application=sets.EXTERNAL_SECRETS,
        project=sets.external_secrets_set(stack),
        source={
            **source(settings),
            "helm": {"releaseName": RELEASE, "values": values(fleet)},
        },
        namespace=settings.namespace,
        # The CRDs are too big for the annotation that client-side apply leaves.
        sync_options=("ServerSideApply=true",),
    )


def values(fleet: Fleet) -> str:
    """The chart's values as a Go template over the cluster Secret, whose result is YAML.

    Text and not `valuesObject`, in which a template can only become a string, never a list of objects.
    """
    # `crds` names what Pulumi can fetch; Argo CD has the chart alone.
    settings = _settings(fleet).model_copy(update={"crds": None})
    found = external_secrets_values.chart_values(
        fleet.model_copy(update={"external_secrets": settings})
    )
    crds = found["crds"]
    found["crds"] = {**crds, "annotations": {**crds.get("annotations", {}), **CRD_ANNOTATIONS}}
    own = found.pop("extraObjects", [])
    objects = ", ".join([*(_verbatim(json.dumps(one)) for one in own), _STORES])
    return f"{_verbatim(yaml.safe_dump(found))}extraObjects: [{objects}]\n"


def _settings(fleet: Fleet) -> ExternalSecrets:
    assert fleet.external_secrets, "every fleet with spokes has it"
    return fleet.external_secrets


def source(settings: ExternalSecrets) -> dict[str, str]:
    """The chart as an Application names it: Argo CD knows a registry of charts by the lack of a scheme."""
    assert settings.chart, "loading a stack file requires what Argo CD can fetch"
    assert settings.version
    repo, chart = settings.repo or "", settings.chart
    if chart.startswith(OCI):
        repo, _, chart = chart.rpartition("/")
    return {
        "repoURL": repo.removeprefix(OCI),
        "chart": chart,
        "targetRevision": settings.version,
    }


def _verbatim(text: str) -> str:
    """`text` as a Go template that renders to it."""
    return text.replace("{{", _BRACES)
