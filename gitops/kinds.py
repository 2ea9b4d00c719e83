"""Kinds of Kubernetes: their resources' names, whether they are in namespaces, and their schemas; CRDs' included."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema_rs

from gitops.kustomize import Rendered
from stacks.desired.objects import CRD

VERSION = "1.36"
"""The release of Kubernetes whose schemas are taken."""
# Those of Kubernetes itself that are in no namespace: `kubectl api-resources --namespaced=false`, 1.36.
_CLUSTER_WIDE = {
    "": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
    "admissionregistration.k8s.io": {
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
    },
    "apiextensions.k8s.io": {"CustomResourceDefinition"},
    "apiregistration.k8s.io": {"APIService"},
    "authentication.k8s.io": {"SelfSubjectReview", "TokenReview"},
    "authorization.k8s.io": {
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
    },
    "certificates.k8s.io": {"CertificateSigningRequest", "ClusterTrustBundle"},
    "flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
    "networking.k8s.io": {"IPAddress", "IngressClass", "ServiceCIDR"},
    "node.k8s.io": {"RuntimeClass"},
    "rbac.authorization.k8s.io": {"ClusterRole", "ClusterRoleBinding"},
    "resource.k8s.io": {"DeviceClass", "ResourceSlice", "DeviceTaintRule"},
    "scheduling.k8s.io": {"PriorityClass"},
    "storage.k8s.io": {
        "CSIDriver",
        "CSINode",
        "StorageClass",
        "VolumeAttachment",
        "VolumeAttributesClass",
    },
}
_VERSION = re.compile(r"([a-z0-9][a-z0-9.-]{0,252}/)?v[a-z0-9]{1,30}")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_PLURALS = {"Endpoints": "endpoints"}


@dataclass(frozen=True)
class Kinds:
    """The kinds that are known: Kubernetes' own, and those of `crds`."""

    crds: tuple[Mapping[str, Any], ...] = ()
    _validators: dict[tuple[str, str], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, objects: Iterable[Mapping[str, Any]]) -> Kinds:
        """Those of Kubernetes, and of the CRDs among `objects`."""
        return cls(tuple(one for one in objects if one.get("kind") == CRD and _is_whole(one)))

    def is_cluster_wide(self, one: Rendered) -> bool | None:
        """Whether an object is in no namespace; None where its kind isn't known."""
        if crd := self._crd(one):
            return bool(crd["spec"].get("scope") == "Cluster")
        if not self._is_kubernetes(one):
            return None
        return one.kind in _CLUSTER_WIDE.get(one.group, ())

    def resource(self, one: Rendered) -> str:
        """The plural by which RBAC knows the kind."""
        if crd := self._crd(one):
            return str(crd["spec"]["names"]["plural"])
        kind = one.kind.lower()
        if one.kind in _PLURALS:
            return _PLURALS[one.kind]
        if kind.endswith("y") and not kind.endswith(("ay", "ey", "oy", "uy")):
            return f"{kind[:-1]}ies"
        return f"{kind}es" if kind.endswith(("s", "x", "ch", "sh")) else f"{kind}s"

    def problems(self, one: Rendered) -> Iterator[str]:
        """What is wrong with an object by the schema of its kind, a line each; nothing where no schema is known."""
        if not _is_named(one):
            yield "is no object of Kubernetes: it lacks an apiVersion or a kind, or has one that is none"
            return
        validator = self._known(one)
        for error in validator.iter_errors(dict(one.object)) if validator else ():
            place = ".".join(str(part) for part in error.instance_path) or one.kind
            # Not the value: it may be long, or a secret.
            yield f"{place}: {_plain(error)}"

    def knows(self, one: Rendered) -> bool:
        """Whether there is a schema for an object's kind, in its version."""
        return self._known(one) is not None

    def _known(self, one: Rendered) -> Any:
        if not _is_named(one):
            return None
        version = str(one.object["apiVersion"])
        key = (version, one.kind)
        if key not in self._validators:
            self._validators[key] = self._validator(one, version)
        return self._validators[key]

    def _crd(self, one: Rendered) -> Mapping[str, Any] | None:
        return next(
            (
                crd
                for crd in self.crds
                if crd["spec"].get("group") == one.group
                and (crd["spec"].get("names") or {}).get("kind") == one.kind
            ),
            None,
        )

    def _is_kubernetes(self, one: Rendered) -> bool:
        # Without a domain, or Kubernetes' own.
        return "." not in one.group or one.group.endswith(".k8s.io")

    def _validator(self, one: Rendered, version: str) -> Any:
        if crd := self._crd(one):
            for served in crd["spec"].get("versions") or ():
                if f"{one.group}/{served.get('name')}" == version:
                    schema = (served.get("schema") or {}).get("openAPIV3Schema")
                    try:
                        return jsonschema_rs.validator_for(_of_crd(schema or {}, top=True))
                    except (ValueError, TypeError, RecursionError):
                        return None  # What is wrong with the CRD, its own schema tells.
            return None
        if not self._is_kubernetes(one):
            return None
        group, slash, name = version.partition("/")
        short = f"{group.partition('.')[0]}-{name}" if slash else version
        file = _SCHEMAS.folder / f"{one.kind.lower()}-{short}.json"
        if not file.is_file():
            return None
        schema = json.loads(file.read_text())
        return jsonschema_rs.validator_for(schema, registry=_SCHEMAS.registry)


class _Schemas:
    """The schemas of Kubernetes' own kinds, strict: a key that no version knows is one misspelt."""

    @cached_property
    def folder(self) -> Any:
        root = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema"
        (found,) = (
            one
            for one in root.iterdir()
            if re.fullmatch(rf"v{VERSION}\.\d+-local-strict", one.name)
        )
        return found

    @cached_property
    def registry(self) -> Any:
        document = json.loads((self.folder / "_definitions.json").read_text())
        uri = str(document["$id"])
        return jsonschema_rs.Registry([(uri, document)])


_SCHEMAS = _Schemas()


def _is_named(one: Rendered) -> bool:
    """Whether an object has an apiVersion and a kind; they become the name of a file, too."""
    version = one.object.get("apiVersion")
    return bool(
        isinstance(version, str) and _VERSION.fullmatch(version) and _KIND.fullmatch(one.kind)
    )


def _is_whole(crd: Mapping[str, Any]) -> bool:
    """Whether a CRD has what is read of it."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return False
    names, versions = spec.get("names"), spec.get("versions")
    return (
        isinstance(names, dict)
        and isinstance(names.get("plural"), str)
        and isinstance(versions, list)
        and all(
            isinstance(one, dict) and isinstance(one.get("schema"), dict | None) for one in versions
        )
    )


def _of_crd(schema: Any, *, top: bool = False) -> Any:
    """A structural schema as JSON Schema: unknown keys refused as the API server drops them, `nullable` taken."""
    if isinstance(schema, list):
        return [_of_crd(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _of_crd(one) for name, one in value.items()}
        if key == "properties"
        else _of_crd(value)
        for key, value in schema.items()
        if not key.startswith("x-") and key not in ("nullable", "default", "example", "format")
    }
    if "properties" in found and not schema.get("x-kubernetes-preserve-unknown-fields"):
        if top:
            for name in ("apiVersion", "kind", "metadata"):
                found["properties"].setdefault(name, {})
        if "additionalProperties" not in found:
            found["additionalProperties"] = False
    if schema.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def _plain(error: Any) -> str:
    """What a validator finds, without the value."""
    kind = type(error.kind).__name__.rpartition("_")[2]
    match kind:
        case "AdditionalProperties":
            return f"unknown key {', '.join(error.kind.unexpected)}; is it misspelt, or in the wrong place?"
        case "Required":
            return f"{error.kind.property} is required"
        case "Type":
            known = [one for one in error.kind.types if one != "null"]
            return f"must be of type {' or '.join(known)}"
        case _:
            return f"is not valid: {kind}"
