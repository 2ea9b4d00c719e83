"""Manifests: YAML as Go reads it, names of children, and what waits for what."""

from __future__ import annotations

import pytest

from lab.plugins.kubernetes import group, manifest
from lab.plugins.kubernetes.wire import Secret


def test_yaml_as_go_reads_it():
    text = (
        "{a: 2026-01-01, b: 12:30:45, c: =, d: 1e3, e: 0x10, f: yes, g: 0644, h: '1', i: 1.5, j: ~}"
    )
    assert manifest.parse(f"kind: X\nspec: {text}\n---\n---\n", "here")[0]["spec"] == {
        "a": "2026-01-01",
        "b": "12:30:45",
        "c": "=",
        "d": 1000.0,
        "e": 16,
        "f": True,
        "g": 420,
        "h": "1",
        "i": 1.5,
        "j": None,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: [", "here: .* at line 2"), ("- 1", "here: a document is no Kubernetes object")],
)
def test_bad_manifests_say_where(text, told):
    with pytest.raises(manifest.ManifestError, match=told):
        manifest.parse(text + "\n", "here")


def test_lists_are_taken_apart_and_objects_validated():
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    lists = {"apiVersion": "v1", "kind": "List", "items": [one, one]}
    assert manifest.flatten([lists, one]) == [one, one, one]
    with pytest.raises(manifest.ManifestError, match="require a kind and apiVersion"):
        manifest.flatten([{"kind": "ConfigMap", "metadata": {"name": "a"}}])
    with pytest.raises(manifest.ManifestError, match=r"require a \.metadata\.name"):
        manifest.flatten([{"apiVersion": "v1", "kind": "ConfigMap"}])


def test_names_and_types_are_the_official_ones():
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    assert manifest.resource_name("argocd", deployment) == "argocd:n/d"
    assert manifest.resource_name("argocd", namespace) == "argocd:n"
    assert group._token(deployment) == "kubernetes:apps/v1:Deployment"
    assert group._token(namespace) == "kubernetes:core/v1:Namespace"
    old = "urn:pulumi:s::p::a:b:C$kubernetes:yaml/v2:ConfigGroup::before"
    assert (
        group._child_alias(old, "kubernetes:core/v1:Namespace", "after", "after:n")
        == "urn:pulumi:s::p::a:b:C$kubernetes:yaml/v2:ConfigGroup$kubernetes:core/v1:Namespace::before:n"
    )


def test_what_waits_for_what():
    found = [
        {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "ns"}},
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.x.io"},
            "spec": {"group": "x.io", "names": {"kind": "Thing"}},
        },
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "c",
                "annotations": {"config.kubernetes.io/depends-on": "x.io/namespaces/ns/Thing/t"},
            },
        },
    ]
    assert manifest.dependencies(found) == [[1, 2], [], [], [0]]
    circle = "/namespaces/a/ConfigMap/{}"
    with pytest.raises(manifest.ManifestError, match="circle"):
        manifest.dependencies(
            [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": name,
                        "namespace": "a",
                        "annotations": {"config.kubernetes.io/depends-on": circle.format(other)},
                    },
                }
                for name, other in (("one", "two"), ("two", "one"))
            ]
        )


def test_secret_lists_stay_legible_where_names_come_from():
    obj = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "data": {"k": "v"}}
    assert manifest.unwrap_list(Secret([obj])) == [{**obj, "data": Secret({"k": "v"})}]


def test_rendered_secrets_are_hidden():
    rendered = {"data": {"url": "x://u:pw123@h", "size": "1"}, "list": ["pw123"]}
    assert manifest.hide(rendered, {"pw123"}) == {
        "data": {"url": Secret("x://u:pw123@h"), "size": "1"},
        "list": [Secret("pw123")],
    }
