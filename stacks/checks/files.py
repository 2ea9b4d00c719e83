"""Manifests, charts and CRDs that a stack file names by their path: whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stacks.model.errors import Problem
from stacks.model.fleet import Fleet

_ELSEWHERE = ("https://", "oci://")


def problems(fleet: Fleet) -> Iterator[Problem]:
    """Files that are not where the stack file says; what is fetched from elsewhere is not asked for."""
    eso = fleet.external_secrets
    named = [("fleet:argocd.manifest", fleet.argocd.manifest)]
    if fleet.argo_rollouts:
        named.append(("fleet:argoRollouts.manifest", fleet.argo_rollouts.manifest))
    if eso:
        named += [
            ("fleet:externalSecrets.crds", eso.crds),
            ("fleet:externalSecrets.manifests", eso.manifests),
            ("fleet:externalSecrets.chart", _chart_path(eso.chart, eso.repo)),
        ]
    for where, source in named:
        if source and not source.startswith(_ELSEWHERE) and (why := _missing(where, source)):
            yield Problem(where, why)


def _chart_path(chart: str | None, repo: str | None) -> str | None:
    """A chart's folder or archive; None where the chart is a name, which Helm looks up elsewhere."""
    if not chart or repo or ("/" not in chart and not chart.endswith(".tgz")):
        return None
    return chart


def _missing(where: str, source: str) -> str:
    try:
        path = Path(source).expanduser()
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError, RuntimeError):
        return f'"{source[:200]}" is no path; write one from here, or an https:// address'
    if not there:
        return f'there is no "{source}" below {Path.cwd()}; mend the path, or write an https:// address'
    if folder and not where.endswith(".chart"):
        return f'"{source}" is a folder; name the file in it'
    return ""
