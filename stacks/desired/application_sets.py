"""The stack's ApplicationSets: which spokes each takes, and what it deploys there."""

from __future__ import annotations

from typing import Any

from stacks.desired import application_template, sets
from stacks.model.fleet import ApplicationSet, Fleet


def set_spec(fleet: Fleet, one: ApplicationSet) -> dict[str, Any]:
    """The spec of one ApplicationSet of the stack file."""
    generator: dict[str, Any] = {"clusters": {"selector": sets.selector(fleet, one)}}
    revision = one.revision or fleet.gitops.revision
    application = namespace = sets.suffix(one) or "{{index .path.segments 1}}"
    match one.layout:
        case "platform":
            path = "clusters/{{.name}}/platform"
        case "services":
            path = "{{.path.path}}"
            git = {
                "repoURL": fleet.gitops.repo,
                "revision": revision,
                "directories": [
                    {"path": 'apps/*/overlays/{{index .metadata.labels "environment"}}'}
                ],
            }
            generator = {"matrix": {"generators": [generator, {"git": git}]}}
        case "directory":
            assert one.path, "loading a stack file requires it"
            path, namespace = one.path, one.namespace or application
    return application_template.spec(
        generator=generator,
        application=application,
        project=sets.PROJECT,
        source={"repoURL": fleet.gitops.repo, "targetRevision": revision, "path": path},
        namespace=namespace,
        preserve=one.preserve,
    )
