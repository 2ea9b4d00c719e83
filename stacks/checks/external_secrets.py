"""External Secrets and its stores, on the spokes and on the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stacks.checks.repeats import repeats
from stacks.errors import Problem
from stacks.model import Fleet
from stacks.vault import ExternalSecrets

_PINNED = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
_SECTION = "fleet:externalSecrets"
_SOURCES = ("chart", "manifests", "installed")


def required(fleet: Fleet) -> Iterator[Problem]:
    """The sections that spokes, or a store on the hub, can't be without."""
    reason = (
        "with spokes"
        if fleet.spokes
        else "with fleet:hub.secretStore"
        if fleet.hub.secret_store
        else ""
    )
    for where, section in (("fleet:vault", fleet.vault), (_SECTION, fleet.external_secrets)):
        if reason and not section:
            yield Problem(where, f"required {reason}; add it")


def problems(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with the way External Secrets is installed, and with its stores."""
    for index, first, store in repeats(fleet.secret_stores, lambda store: store.name):
        yield Problem(
            f"fleet:secretStores[{index}].name",
            f'"{store.name}" is the name of fleet:secretStores[{first}] already',
        )
    if fleet.hub.secret_store and not fleet.owns_hub:
        yield Problem(
            "fleet:hub.secretStore",
            "belongs to the stack that owns the hub, the one with `fleet:argocd.manifest`; put it there",
        )
    if fleet.external_secrets:
        yield from _source(fleet.external_secrets)
        yield from _delivery(fleet, fleet.external_secrets)


def _source(settings: ExternalSecrets) -> Iterator[Problem]:
    given = [key for key in _SOURCES if getattr(settings, key)]
    if not given:
        yield Problem(_SECTION, f"needs one of {', '.join(_SOURCES)}; add the one you want")
    if len(given) > 1:
        yield Problem(
            _SECTION, f"has {' and '.join(given)}, which exclude each other; keep one of them"
        )
    if settings.repo and settings.chart and not _is_name(settings.chart):
        yield Problem(
            f"{_SECTION}.repo",
            f'goes with a chart by its name, but `chart` is "{settings.chart}"; take `repo` out, or write e.g. '
            "`chart: external-secrets`",
        )
    for key in ("repo", "version", "values"):
        if getattr(settings, key) and not settings.chart:
            yield Problem(f"{_SECTION}.{key}", "says nothing without `chart`; take it out")
    if settings.crds and settings.installed:
        yield Problem(
            f"{_SECTION}.crds",
            "`installed` says that the CRDs are there already; take one of them out",
        )


def _delivery(fleet: Fleet, settings: ExternalSecrets) -> Iterator[Problem]:
    places = [f"{_SECTION}.delivery"] if settings.delivery == "argocd" else []
    places += [
        f"fleet:spokes[{index}].delivery"
        for index, spoke in enumerate(fleet.spokes)
        if spoke.delivery == "argocd"
    ]
    chart = settings.chart or ""
    if not (chart.startswith("oci://") or (settings.repo and _is_name(chart))):
        reason = (
            f"Argo CD fetches the chart itself, so {_SECTION} needs `chart: oci://…`, or `repo:` with "
            "a chart's name"
        )
    elif not _PINNED.fullmatch(settings.version or ""):
        reason = (
            f'Argo CD needs one version of the chart: write it in {_SECTION}.version, e.g. "0.19.2"'
        )
    else:
        return
    for where in places:
        yield Problem(where, reason)


def _is_name(chart: str) -> bool:
    return bool(chart) and "/" not in chart and not chart.endswith(".tgz")
