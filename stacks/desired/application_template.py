"""What every ApplicationSet of Fleet has in common, whatever it deploys."""

from __future__ import annotations

from typing import Any

SYNC_POLICY = {
    "automated": {"prune": True, "selfHeal": True},
    "syncOptions": ["CreateNamespace=true"],
    "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
}


def spec(
    *,
    generator: dict[str, Any],
    application: str,
    project: str,
    source: dict[str, Any],
    namespace: str,
    sync_options: tuple[str, ...] = (),
    preserve: bool = True,
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
                },
            },
            "spec": {
                "project": project,
                "source": source,
                "destination": {"server": "{{.server}}", "namespace": namespace},
                "syncPolicy": {
                    **SYNC_POLICY,
                    "syncOptions": [*SYNC_POLICY["syncOptions"], *sync_options],
                },
            },
        },
    }
