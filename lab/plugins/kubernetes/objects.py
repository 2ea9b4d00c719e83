"""What the official plugin knows of Kubernetes objects: names, ids, immutable fields, secrets.

Pure functions over dicts; nothing here talks to anybody.
"""

from __future__ import annotations

import hashlib
from typing import Any

from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.wire import Object, Secret, annotate, plain, secret

FIELD_MANAGER = "__fieldManager"
INITIAL_API_VERSION = "__initialApiVersion"
INTERNAL_KEYS = frozenset({FIELD_MANAGER, INITIAL_API_VERSION, "__inputs"})

_AUTONAMED = "pulumi.com/autonamed"
_READ_ONLY_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SERVER_ANNOTATIONS = ("deployment.kubernetes.io/revision", _LAST_APPLIED)

_CLUSTER_SCOPED = frozenset(
    (
        *("APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole"),
        *("ClusterRoleBinding", "ClusterTrustBundle", "ComponentStatus"),
        *("CustomResourceDefinition", "DeviceClass", "FlowSchema", "IPAddress", "IngressClass"),
        *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
        *("MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume"),
        *("PriorityClass", "PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass"),
        *("SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview"),
        *("ServiceCIDR", "StorageClass", "StorageVersion", "StorageVersionMigration"),
        *("SubjectAccessReview", "TokenReview", "ValidatingAdmissionPolicy"),
        *("ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"),
        *("VolumeAttachment", "VolumeAttributesClass"),
    )
)
_BUILT_IN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "policy", "extensions"})

# The typed Python class spells these with underscores; the API with dashes.
_UNDERSCORED = {
    name: name.replace("_", "-")
    for name in (
        "x_kubernetes_embedded_resource",
        "x_kubernetes_int_or_string",
        "x_kubernetes_list_map_keys",
        "x_kubernetes_list_type",
        "x_kubernetes_map_type",
        "x_kubernetes_preserve_unknown_fields",
        "x_kubernetes_validations",
    )
}


def text(value: Any) -> str:
    """Return `value` where it is a known text, else an empty one."""
    return value if isinstance(value, str) else ""


def metadata(obj: Object) -> Object:
    """Return the object's metadata, or an empty dict where it is missing or unknown."""
    found = plain(obj.get("metadata"))
    return found if isinstance(found, dict) else {}


def annotation(obj: Object, name: str) -> str:
    """Return an annotation's text, empty where it is missing."""
    found = metadata(obj).get("annotations")
    return text(found.get(name)) if isinstance(found, dict) else ""


def is_true(obj: Object, name: str) -> bool:
    """Tell whether an annotation says "true"."""
    return annotation(obj, name) == "true"


def full_kind(obj: Object) -> str:
    """Return `<apiVersion>/<kind>`, such as `apps/v1/Deployment` or `v1/Secret`."""
    return f"{canonical(text(plain(obj.get('apiVersion'))))}/{text(plain(obj.get('kind')))}"


def object_id(obj: Object) -> str:
    """Return the official id: `<namespace>/<name>`, or the name of what has no namespace."""
    meta = metadata(obj)
    namespace, name = text(meta.get("namespace")), text(meta.get("name"))
    return f"{namespace}/{name}" if namespace else name


def split_id(resource_id: str) -> tuple[str | None, str]:
    """Return namespace (None without one) and name of an id."""
    namespace, slash, name = resource_id.rpartition("/")
    return (namespace if slash and namespace else None), name


def type_of_urn(urn: str) -> tuple[str, str]:
    """Return apiVersion and kind that a URN's type stands for; empty ones where it has none."""
    token = urn.split("::")[2].rpartition("$")[2] if urn.count("::") >= 3 else urn
    parts = token.split(":")
    if len(parts) != 3 or "/" not in parts[1]:
        return "", ""
    return canonical(parts[1]), parts[2]


def name_of_urn(urn: str) -> str:
    """Return the resource's own name, the URN's last part."""
    return urn.split("::", 3)[-1]


def field_manager(urn: str, inputs: Object, state: Object | None = None) -> str:
    """Return the name under which fields are owned.

    The annotation wins, then what is in state. A new name is derived from the URN where the official
    plugin draws a random one: so a rerun after a kill still owns what the killed run created.
    """
    given = annotation(inputs, "pulumi.com/patchFieldManager")
    if given:
        return given
    kept = text((state or {}).get(FIELD_MANAGER))
    return kept or "pulumi-kubernetes-" + hashlib.sha256(urn.encode()).hexdigest()[:8]


def namespaced_by_table(api_version: str, kind: str) -> bool | None:
    """Tell whether a built-in kind has a namespace; None where only the server knows."""
    group = canonical(api_version).rpartition("/")[0]
    if group not in _BUILT_IN_GROUPS and not group.endswith(".k8s.io"):
        return None
    return kind not in _CLUSTER_SCOPED


def without_read_only(inputs: Object) -> Object:
    """Return `inputs` without the metadata that only the server may write."""
    if not isinstance(inputs.get("metadata"), dict):
        return inputs
    kept = {k: v for k, v in inputs["metadata"].items() if k not in _READ_ONLY_METADATA}
    return {**inputs, "metadata": kept}


def named(inputs: Object, old: Object, urn: str, seed: bytes) -> Object:
    """Return `inputs` with a name: its own, the old automatic one, or a new automatic one."""
    meta = inputs.get("metadata", {})
    if not isinstance(meta, dict) or "name" in meta or "generateName" in meta:
        return inputs
    if not isinstance(meta.get("annotations", {}), dict):
        return inputs
    kept = text(metadata(old).get("name")) if is_true(old, _AUTONAMED) else ""
    suffix = hashlib.sha256(seed or urn.encode()).hexdigest()[:8]
    fresh = f"{name_of_urn(urn).rpartition(':')[2].lower()}-{suffix}"
    notes = {**meta.get("annotations", {}), _AUTONAMED: "true"}
    return {**inputs, "metadata": {**meta, "name": kept or fresh, "annotations": notes}}


def is_autonamed(inputs: Object) -> bool:
    """Tell whether the name is an automatic one, so that a replacement can have another."""
    return is_true(inputs, _AUTONAMED)


def with_secrets(obj: Object, like: Object | None = None) -> Object:
    """Return `obj` with a secret wherever `like` has one, and in a Secret's data always."""
    marked: Object = annotate(obj, like) if like else dict(obj)
    if full_kind(obj) == "v1/Secret":
        for key in ("data", "stringData"):
            if key in marked:
                marked[key] = secret(marked[key])
        meta = marked.get("metadata")
        notes = meta.get("annotations") if isinstance(meta, dict) else None
        if isinstance(meta, dict) and isinstance(notes, dict) and _LAST_APPLIED in notes:
            # kubectl puts the whole object in there, data and all.
            hidden = {**notes, _LAST_APPLIED: Secret(notes[_LAST_APPLIED])}
            marked["metadata"] = {**meta, "annotations": hidden}
    return marked


def to_api(inputs: Object) -> Object:
    """Return `inputs` as the API server wants them: plain, and a CRD's keys with dashes."""
    body: Object = {k: v for k, v in plain(inputs).items() if k not in INTERNAL_KEYS}
    body["apiVersion"] = canonical(text(body.get("apiVersion")))
    if body.get("kind") == "CustomResourceDefinition":
        return {key: _dashed(item) for key, item in body.items()}
    return body


def _dashed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_UNDERSCORED.get(key, key): _dashed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dashed(item) for item in value]
    return value


def to_state(live: Object, inputs: Object, manager: str) -> Object:
    """Return the outputs kept in state: the live object, without the log of who owns what."""
    state = dict(live)
    state["metadata"] = {k: v for k, v in live["metadata"].items() if k != "managedFields"}
    state = with_secrets(state, inputs)
    first = text(plain(inputs.get("apiVersion"))) or text(live.get("apiVersion"))
    return {**state, INITIAL_API_VERSION: first, FIELD_MANAGER: manager}
