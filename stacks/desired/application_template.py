"""What every ApplicationSet of Fleet has in common, whatever it deploys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SYNC_POLICY: dict[str, Any] = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["CreateNamespace=true"],
    "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
}
PATIENT = {
    "limit": 10,
    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m"},
    "refresh": True,
}
"""`retry` for what waits for another Application, seven minutes long: on a new cluster, Argo CD may make the other one
three minutes later. After its last try it does nothing before the next commit; each try takes the newest.
"""


def spec(
    *,
    generator: dict[str, Any],
    application: str,
    project: str,
    source: dict[str, Any],
    namespace: str,
    sync_options: tuple[str, ...] = (),
    retry: Mapping[str, Any] = SYNC_POLICY["retry"],
    preserve: bool = True,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The spec of an ApplicationSet with one Application `<cluster>-<application>` per item of `generator`.

    `application`, `source` and `namespace` are Go templates over the cluster Secret. With `preserve` the set creates
    and updates Applications and never deletes one.
    """
    return {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [generator],
        "syncPolicy": {
            "applicationsSync": "create-update" if preserve else "sync",
            "preserveResourcesOnDeletion": preserve,
        },
        "template": {
            "metadata": {
                "name": f"{{{{.name}}}}-{application}",
                "labels": {
                    "cluster_name": "{{.name}}",
                    "environment": '{{index .metadata.labels "environment"}}',
                    **(labels or {}),
                },
            },
            "spec": {
                "project": project,
                "source": source,
                "destination": {"server": "{{.server}}", "namespace": namespace},
                "syncPolicy": {
                    **SYNC_POLICY,
                    "syncOptions": [*SYNC_POLICY["syncOptions"], *sync_options],
                    "retry": dict(retry),
                },
            },
        },
    }
