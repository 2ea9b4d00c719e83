"""The pipelines of a repo, for GitHub and GitLab: lint, promotion and rollback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitops.scaffold.templates import rendered, scalar

KUSTOMIZE = "v5.8.1"
"""The release that the pipelines install: the one that Fleet is tested with."""
_EVENT = "github.event.client_payload"
_SERVICE = f"{_EVENT}.service || inputs.service"
_TO = f"{_EVENT}.to || inputs.environment"


@dataclass(frozen=True)
class _Job:
    """One job of the workflow `promote`; `values` come from outside and are given to the shell by name."""

    title: str
    condition: str
    where: str
    values: Mapping[str, str]
    # With `=` and `--`: no value is taken for an option.
    command: str


_JOBS = {
    "image": _Job(
        title="Promote a new image",
        condition="github.event.action == 'image' || inputs.what == 'image'",
        where=f"{_EVENT}.environment || inputs.environment",
        values={
            "SERVICE": _SERVICE,
            "IMAGE": f"{_EVENT}.image || inputs.image",
            "ENVIRONMENT": f"{_EVENT}.environment || inputs.environment",
            "BUILD": f"{_EVENT}.build || inputs.build",
        },
        command='fleet promote --image="$IMAGE" --to="$ENVIRONMENT" ${BUILD:+"--build=$BUILD"} -- "$SERVICE"',
    ),
    "tested": _Job(
        title="Promote what was tested",
        condition="github.event.action == 'tested' || inputs.what == 'tested'",
        where=_TO,
        values={
            "SERVICE": _SERVICE,
            "FROM": f"{_EVENT}.from || inputs.from",
            "TO": _TO,
            "TESTED": f"{_EVENT}.tested || inputs.tested",
            "SOAK": "vars.FLEET_SOAK",
        },
        command='fleet promote --from="$FROM" --to="$TO" --tested="$TESTED" ${SOAK:+"--soak=$SOAK"} -- "$SERVICE"',
    ),
    "rollback": _Job(
        title="Roll back",
        condition="github.event_name == 'workflow_dispatch' && inputs.what == 'rollback'",
        where="inputs.environment",
        values={"SERVICE": "inputs.service", "ENVIRONMENT": "inputs.environment"},
        command='fleet rollback --environment="$ENVIRONMENT" -- "$SERVICE"',
    ),
}


def pipelines(environments: Iterable[str], lint: str) -> dict[str, str]:
    """The files of both forges; `lint` is what `fleet lint` is told of the repo, in the shell's words."""
    order = list(environments)
    listed = ", ".join(map(scalar, order))
    return {
        ".github/workflows/lint.yaml": rendered(
            "forge/github.yaml", lint=lint, kustomize=KUSTOMIZE
        ),
        ".github/workflows/promote.yaml": rendered(
            "forge/github-promote.yaml",
            environments=listed,
            jobs="".join(_job(name, job) for name, job in _JOBS.items()).rstrip(),
        ),
        ".gitlab-ci.yml": rendered(
            "forge/gitlab.yaml",
            lint=lint,
            kustomize=KUSTOMIZE,
            environments=listed,
            first=next(iter(order), ""),
        ),
    }


def _job(name: str, job: _Job) -> str:
    return rendered(
        "forge/github-promote-job.yaml",
        name=name,
        condition=job.condition,
        where=job.where,
        title=job.title,
        command=job.command,
        kustomize=KUSTOMIZE,
        values="".join(
            f"          {key}: ${{{{ {value} }}}}\n" for key, value in job.values.items()
        ),
    )
