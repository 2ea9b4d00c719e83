"""What Argo CD will refuse at sync, told beforehand: by the AppProject, and by the rights of argocd-manager.

Argo CD's own code and `kubectl auth can-i` decide in tests/real whether this tells the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gitops.kustomize import Rendered
from stacks.desired import argocd_manager
from stacks.desired.objects import RbacRule
from stacks.desired.projects import Spec, lets_into
from stacks.model.auth import ServiceAccountAuth, VaultAuth
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")


def shut_out(spec: Spec, one: Rendered, namespace: str) -> str:
    """Why an AppProject of this spec lets an object not through, empty where it does; `namespace` is "" for none.

    Clusters and repos are left out: those are the sets' own.
    """
    if not namespace:
        listed = spec.get("clusterResourceWhitelist") or ()
        if not any(_names(entry, one) for entry in listed):
            return f"lets in no {one.kind}, which is cluster-wide"
        if any(_names(entry, one) for entry in spec.get("clusterResourceBlacklist") or ()):
            return f'keeps the {one.kind} "{one.name}" out'
        return ""
    if any(_names(entry, one) for entry in spec.get("namespaceResourceBlacklist") or ()):
        return f"lets in no {one.kind} of {one.group or 'the core group'}"
    patterns = [str(entry.get("namespace") or "") for entry in spec.get("destinations") or ()]
    if not lets_into(patterns, namespace):
        return f'keeps the namespace "{namespace}" shut'
    return ""


def _names(entry: dict[str, str], one: Rendered) -> bool:
    """Whether an entry of a project's lists is of this object: group, kind, and, where it has one, name."""
    return (
        fnmatchcase(one.group, entry["group"])
        and fnmatchcase(one.kind, entry["kind"])
        and (not entry.get("name") or fnmatchcase(one.name, entry["name"]))
    )


@dataclass(frozen=True)
class Rules:
    """What argocd-manager may do: for the whole cluster, or, with `namespaces`, inside of these."""

    rules: tuple[RbacRule, ...]
    namespaces: frozenset[str]
    _missing: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict, repr=False)
    """What is missing for a group, resource and name, once it was asked."""

    def lacks(self, group: str, resource: str, name: str, namespace: str) -> str:
        """What of the rights to manage an object is missing, empty where none is; `namespace` is "" for none."""
        if self.namespaces and namespace not in self.namespaces:
            if not namespace:
                return f"may do nothing cluster-wide there, and {resource} are"
            return f'may do nothing in "{namespace}" there'
        key = (group, resource, name)
        if key not in self._missing:
            self._missing[key] = tuple(verb for verb in _VERBS if not self._may(verb, *key))
        missing = self._missing[key]
        return (
            f"may not {', '.join(missing)} {resource} of {group or 'the core group'}"
            if missing
            else ""
        )

    def _may(self, verb: str, group: str, resource: str, name: str) -> bool:
        return any(
            _has(rule.get("apiGroups"), group)
            and _has(rule.get("resources"), resource)
            and _has(rule.get("verbs"), verb)
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule in self.rules
        )


def of_spoke(fleet: Fleet, spoke: Spoke) -> Rules | None:
    """The rights that Fleet gives Argo CD on a spoke; None where they are none of Fleet's."""
    if not isinstance(spoke.auth, ServiceAccountAuth | VaultAuth):
        return None
    return Rules(
        tuple(argocd_manager.rules(fleet, spoke)), frozenset(fleet.rbac_of(spoke).namespaces)
    )


def _has(values: object, wanted: str) -> bool:
    return isinstance(values, list) and ("*" in values or wanted in values)
