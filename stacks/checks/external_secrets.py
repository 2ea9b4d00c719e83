"""External Secrets and its stores, on the spokes and on the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.checks.repeats import repeats
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet
from stacks.model.vault import ExternalSecrets

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


def values(fleet: Fleet) -> Iterator[Problem]:
    """Helm values that Fleet has keys in as well, where they are of another form than the chart's."""
    given: Mapping[str, Any] = fleet.external_secrets.values if fleet.external_secrets else {}
    crds = given.get("crds")
    known: dict[str, tuple[Any, type]] = {
        key: (given[key], dict) for key in ("crds", "rbac", "serviceAccount") if key in given
    }
    if isinstance(crds, dict) and "annotations" in crds:
        known["crds.annotations"] = (crds["annotations"], dict)
    if "extraObjects" in given:
        known["extraObjects"] = (given["extraObjects"], list)
    for key, (value, form) in known.items():
        if not isinstance(value, form):
            said = "a mapping" if form is dict else "a list"
            yield Problem(f"{_SECTION}.values.{key}", f"must be {said}, as the chart has it")


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
        yield from _by_argocd(fleet)
        yield from _on_the_hub(fleet)


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
    if settings.crds and settings.manifests:
        yield Problem(f"{_SECTION}.crds", "is for a chart; put the CRDs into `manifests`")


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


def _by_argocd(fleet: Fleet) -> Iterator[Problem]:
    """Spokes on which Argo CD may do nothing outside of some namespaces, and is to deliver what belongs to all."""
    for index, spoke in enumerate(fleet.spokes):
        if fleet.delivery_of(spoke) == "argocd" and fleet.rbac_of(spoke).namespaces:
            yield Problem(
                f"fleet:spokes[{index}].delivery",
                f'Argo CD can\'t deliver External Secrets to "{spoke.name}", where `rbac.namespaces` keeps it out of '
                "all that is the whole cluster's; write `delivery: pulumi`",
            )


def _on_the_hub(fleet: Fleet) -> Iterator[Problem]:
    """The hub as a spoke of its own, where it has External Secrets and a store already."""
    store = fleet.hub.secret_store
    for index, spoke in enumerate(fleet.spokes):
        if not store or not spoke.in_cluster:
            continue
        if fleet.delivery_of(spoke) == "argocd":
            yield Problem(
                f"fleet:spokes[{index}].delivery",
                "Pulumi installs External Secrets on the hub already, for fleet:hub.secretStore; write "
                "`delivery: pulumi`",
            )
        for place, one in enumerate(fleet.secret_stores):
            if one.name == store.name:
                yield Problem(
                    f"fleet:secretStores[{place}].name",
                    f'"{one.name}" is the name of fleet:hub.secretStore already, and "{spoke.name}" is the hub; '
                    "choose another name",
                )


def _is_name(chart: str) -> bool:
    return bool(chart) and "/" not in chart and not chart.endswith(".tgz")
