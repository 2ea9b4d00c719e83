"""The live hub: what decides whether a change would take Applications away, or touch another stack's objects.

A handful of lists, read before anything registers. Of a cluster Secret's content only the name and the server are kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from live.cluster_api import ClusterAPI, NotFound, Unreachable
from live.field_managers import written_by_pulumi
from stacks.desired.argocd_install import PROJECT_CRD, takes_no_names
from stacks.desired.contract import (
    CLUSTER_SECRET_TYPE,
    IDENTITY_ANNOTATION,
    PROTECTED_ANNOTATION,
    STACK_LABEL,
)

_KEEPS = ("create-only", "create-update")
_SECRETS = ",".join(f"{key}={value}" for key, value in CLUSTER_SECRET_TYPE.items())

Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Owned:
    """An object on the hub: its name, the stack that its label names ("": none), and whether Pulumi ever wrote it."""

    object_name: str
    owner: str = ""
    by_pulumi: bool = False


@dataclass(frozen=True, kw_only=True)
class LiveCluster(Owned):
    """A cluster Secret, without its credential.

    `rendered` says that an ExternalSecret owns it, `protected` that Pulumi won't delete it; `identity` is the
    cluster's, as the stack that made it has found it, and empty where it doesn't say.
    """

    name: str
    server: str
    labels: Mapping[str, str]
    rendered: bool = False
    protected: bool = False
    identity: str = ""


@dataclass(frozen=True, kw_only=True)
class LiveSet(Owned):
    """An ApplicationSet: the selectors of its clusters generators, and how it names and deletes Applications.

    `name_template` is the template of the Applications' names; `preserve` says that the set never deletes one, nor an
    Application its workloads.
    """

    selectors: tuple[Mapping[str, Any], ...]
    name_template: str
    preserve: bool
    directories: frozenset[tuple[str, bool]] = frozenset()
    """The patterns of its git generators, each with whether it leaves out what it names."""
    repos: frozenset[str] = frozenset()
    """The repos of its git generators."""


@dataclass(frozen=True, kw_only=True)
class LiveProject(Owned):
    """An AppProject: the repos that it lets in, and the servers and names of the clusters that it lets deploy to.

    All of them patterns; one that begins with `!` denies. `namespaces` are those that it lets deploy into.
    """

    repos: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveApplication:
    """An Application: its name, the ApplicationSet that owns it ("": none), and the cluster that its label names.

    And by which AppProject it deploys, into which namespace.
    """

    name: str
    set: str
    cluster: str
    project: str = ""
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class HubState:
    """The hub as it is now.

    `namespaces` maps each namespace to the stack that its label names ("": none); `installed` says that Argo CD's kinds
    are there, `outdated` that they are of a release before 3.3. `applications` is empty until somebody asks for them:
    see `applications()`.
    """

    namespace: str
    namespaces: Mapping[str, str]
    installed: bool
    outdated: bool = False
    clusters: tuple[LiveCluster, ...] = ()
    sets: tuple[LiveSet, ...] = ()
    projects: tuple[LiveProject, ...] = ()
    applications: tuple[LiveApplication, ...] = ()

    @property
    def owner(self) -> str | None:
        """The stack that Argo CD's namespace belongs to: "" where it has no label, None where there is none."""
        return self.namespaces.get(self.namespace)


def read(api: ClusterAPI, namespace: str) -> HubState:
    """The hub behind `api`, with Argo CD in `namespace`.

    Raises Unreachable where it doesn't answer, or may not be read.
    """
    kinds = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}"
    namespaces = {
        item["metadata"]["name"]: _labels(item).get(STACK_LABEL, "")
        for item in api.items("/api/v1/namespaces")
    }
    clusters = tuple(
        _cluster(item) for item in api.items(f"/api/v1/namespaces/{namespace}/secrets", _SECRETS)
    )
    try:
        sets = tuple(_set(item) for item in api.items(f"{kinds}/applicationsets"))
        projects = tuple(_project(item) for item in api.items(f"{kinds}/appprojects"))
    except NotFound:
        return HubState(
            namespace=namespace, namespaces=namespaces, installed=False, clusters=clusters
        )
    return HubState(
        namespace=namespace,
        namespaces=namespaces,
        installed=True,
        outdated=_outdated(api),
        clusters=clusters,
        sets=sets,
        projects=projects,
    )


def applications(
    api: ClusterAPI, namespace: str, clusters: Iterable[str]
) -> tuple[LiveApplication, ...]:
    """The Applications that sets made for these clusters, by name. Raises Unreachable.

    Apart from `read` because a large fleet has thousands, each with a long status, and only a refusal names them.
    """
    items = api.items(
        f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications",
        f"cluster_name in ({','.join(sorted(clusters))})",
    )
    found = (
        LiveApplication(
            name=item["metadata"]["name"],
            set=next(
                (
                    owner["name"]
                    for owner in item["metadata"].get("ownerReferences") or ()
                    if owner.get("kind") == "ApplicationSet"
                ),
                "",
            ),
            cluster=_labels(item).get("cluster_name", ""),
            project=str((item.get("spec") or {}).get("project") or ""),
            namespace=str(
                ((item.get("spec") or {}).get("destination") or {}).get("namespace") or ""
            ),
        )
        for item in items
    )
    return tuple(sorted(found, key=lambda one: one.name))


def _cluster(item: Object) -> LiveCluster:
    data = item.get("data") or {}
    annotations = item["metadata"].get("annotations") or {}
    return LiveCluster(
        **_owned(item),
        name=_decoded(data.get("name")),
        server=_decoded(data.get("server")).rstrip("/"),
        labels=dict(_labels(item)),
        rendered=any(
            owner.get("kind") == "ExternalSecret"
            for owner in item["metadata"].get("ownerReferences") or ()
        ),
        protected=annotations.get(PROTECTED_ANNOTATION) == "true",
        identity=str(annotations.get(IDENTITY_ANNOTATION) or ""),
    )


def _set(item: Object) -> LiveSet:
    spec = item.get("spec") or {}
    policy = spec.get("syncPolicy") or {}
    template = (spec.get("template") or {}).get("metadata") or {}
    return LiveSet(
        **_owned(item),
        selectors=tuple(_selectors(spec.get("generators") or ())),
        name_template=str(template.get("name") or ""),
        preserve=policy.get("applicationsSync") in _KEEPS
        and policy.get("preserveResourcesOnDeletion") is True,
        directories=frozenset(
            (str(one.get("path")), bool(one.get("exclude")))
            for git in _git(spec.get("generators") or ())
            for one in git.get("directories") or ()
        ),
        repos=frozenset(
            str(git["repoURL"]) for git in _git(spec.get("generators") or ()) if git.get("repoURL")
        ),
    )


def _project(item: Object) -> LiveProject:
    spec = item.get("spec") or {}
    places = spec.get("destinations") or ()
    return LiveProject(
        **_owned(item),
        repos=tuple(map(str, spec.get("sourceRepos") or ())),
        servers=tuple(str(one["server"]) for one in places if one.get("server")),
        names=tuple(str(one["name"]) for one in places if one.get("name")),
        namespaces=tuple(str(one.get("namespace") or "") for one in places),
    )


def _outdated(api: ClusterAPI) -> bool:
    """Whether Argo CD's kinds are those of a release before 3.3; not where that can't be told from their CRD."""
    try:
        crd = api.json(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{PROJECT_CRD}")
        return takes_no_names(crd)
    except (Unreachable, KeyError, IndexError, TypeError):
        return False


def _git(generators: Iterable[Object]) -> Iterator[Object]:
    """All git generators, those inside matrix and merge generators too."""
    for generator in generators:
        if generator.get("git"):
            yield generator["git"]
        for kind in ("matrix", "merge"):
            yield from _git((generator.get(kind) or {}).get("generators") or ())


def _selectors(generators: Iterable[Object]) -> Iterator[Mapping[str, Any]]:
    """The label selectors of all clusters generators, those inside matrix and merge generators too."""
    for generator in generators:
        if (clusters := generator.get("clusters")) is not None:
            yield clusters.get("selector") or {}
        for kind in ("matrix", "merge"):
            yield from _selectors((generator.get(kind) or {}).get("generators") or ())


def _owned(item: Object) -> dict[str, Any]:
    return {
        "object_name": item["metadata"]["name"],
        "owner": _labels(item).get(STACK_LABEL, ""),
        "by_pulumi": written_by_pulumi(item["metadata"]),
    }


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _decoded(value: str | None) -> str:
    """A value of a Secret as text; one that is no text names no cluster that Fleet could have made."""
    try:
        return base64.b64decode(value or "").decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""
