"""Which changes there are, and which of them need a new object."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lab.plugins.kubernetes.diff import Mutability, compare
from lab.plugins.kubernetes.wire import UNKNOWN, Secret


def obj(kind: str, api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "n", "namespace": "ns"},
        **fields,
    }


def changed(old: dict[str, Any], *path: str, to: Any) -> dict[str, Any]:
    new = copy.deepcopy(old)
    target = new
    for part in path[:-1]:
        target = target.setdefault(part, {})
    target[path[-1]] = to
    return new


def test_nothing_changed():
    same = obj("ConfigMap", data={"a": Secret("1")})
    found = compare(same, copy.deepcopy(same), mutability=Mutability())
    assert not found.changes
    assert not found.replaces


def test_paths_are_written_as_pulumi_writes_them():
    old = obj("X", "x/v1", spec={"list": [1, 2], "gone": 1, "n": 1, "yes": True})
    new = obj("X", "x/v1", spec={"list": [1, 3, 4], "new": 1, "n": 1.0, "yes": 1})
    old["metadata"]["labels"] = {"a.b/c": "1"}
    new["metadata"]["labels"] = {"a.b/c": UNKNOWN}
    assert compare(old, new, mutability=Mutability()).changes == {
        'metadata.labels["a.b/c"]': "UPDATE",
        "spec.list[1]": "UPDATE",
        "spec.list[2]": "ADD",
        "spec.gone": "DELETE",
        "spec.new": "ADD",
        "spec.yes": "UPDATE",
    }


SELECTED = {"selector": {"matchLabels": {"a": "1"}}, "replicas": 1}


@pytest.mark.parametrize(
    ("old", "path", "to", "replaced"),
    [
        (obj("ConfigMap"), ("metadata", "name"), "other", True),
        (obj("ConfigMap"), ("metadata", "namespace"), "other", True),
        (obj("ConfigMap"), ("metadata", "labels"), {"a": "b"}, False),
        (obj("ConfigMap", data={"a": "1"}), ("data", "a"), "2", True),
        (obj("Secret", stringData={"a": "1"}), ("stringData", "a"), "2", True),
        (obj("Secret", type="Opaque"), ("type",), "other", True),
        (obj("Deployment", "apps/v1", spec=SELECTED), ("spec", "replicas"), 2, False),
        (obj("Deployment", "apps/v1", spec=SELECTED), ("spec", "selector"), {}, True),
        (
            obj("DaemonSet", "apps/v1", spec=SELECTED),
            ("spec", "selector", "matchLabels", "a"),
            "2",
            True,
        ),
        (obj("StatefulSet", "apps/v1", spec={}), ("spec", "serviceName"), "x", True),
        (obj("Job", "batch/v1", spec={"template": {"a": 1}}), ("spec", "template", "a"), 2, True),
        (obj("Service", spec={"clusterIP": "1"}), ("spec", "clusterIP"), "2", True),
        (obj("Service", spec={"type": "a"}), ("spec", "type"), "b", False),
        (obj("PersistentVolumeClaim", spec={"a": 1}), ("spec", "a"), 2, True),
        (
            obj("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": "a"}),
            ("roleRef", "name"),
            "b",
            True,
        ),
        (obj("Pod", spec={"nodeName": "a"}), ("spec", "nodeName"), "b", True),
        (obj("X", "a.io/v1"), ("apiVersion",), "a.io/v2", False),
        (obj("X", "a.io/v1"), ("apiVersion",), "b.io/v1", True),
        (obj("X", "core/v1"), ("apiVersion",), "v1", False),
    ],
)
def test_what_replaces(old, path, to, replaced):
    found = compare(old, changed(old, *path, to=to), mutability=Mutability())
    assert found.changes
    assert bool(found.replaces) == replaced
    if replaced:
        in_place = path[:1] != ("metadata",)
        assert found.delete_first == in_place, "the same name can't exist twice"


def test_mutable_data_changes_in_place():
    loose = Mutability(config_map=True, secret=True)
    old = obj("ConfigMap", data={"a": "1"})
    assert not compare(old, changed(old, "data", "a", to="2"), mutability=loose).replaces
    sealed = {**old, "immutable": True}
    assert compare(sealed, changed(sealed, "data", "a", to="2"), mutability=loose).replaces
    secret = obj("Secret", data=Secret({"a": "1"}))
    assert not compare(secret, {**secret, "data": Secret({"a": "2"})}, mutability=loose).replaces


def test_default_namespace_is_no_change_and_ignored_paths_are_none():
    old, new = obj("ConfigMap", data={"a": "1"}), obj("ConfigMap", data={"a": "2"})
    old["metadata"]["namespace"] = "default"
    del new["metadata"]["namespace"]
    assert not compare(old, new, mutability=Mutability(), ignored=["data"]).changes


def test_automatic_names_are_created_first():
    old = obj("ConfigMap", data={"a": "1"})
    old["metadata"]["annotations"] = {"pulumi.com/autonamed": "true"}
    assert not compare(old, changed(old, "data", "a", to="2"), mutability=Mutability()).delete_first
