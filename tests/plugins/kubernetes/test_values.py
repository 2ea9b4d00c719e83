"""Values on the wire, names, ids and ownership: pure functions."""

from __future__ import annotations

import base64

from google.protobuf import struct_pb2

from lab.plugins.kubernetes import drift, objects, ownership
from lab.plugins.kubernetes.replies import scrubbed
from lab.plugins.kubernetes.wire import (
    UNKNOWN,
    Secret,
    annotate,
    decode,
    encode,
    has_unknown,
    plain,
    secret_texts,
)

URN = "urn:pulumi:dev::p::kubernetes:core/v1:ConfigMap::Settings"


def test_values_survive_the_wire():
    values = {
        "text": "a",
        "int": 3,
        "float": 0.5,
        "flag": False,
        "list": [1, {"x": Secret("s")}, []],
        "empty": {},
        "late": UNKNOWN,
        "hidden": Secret({"a": "b"}),
    }
    assert decode(encode(values)) == values
    assert type(decode(encode({"n": 3}))["n"]) is int
    assert type(decode(encode({"n": True}))["n"]) is bool


def test_nulls_are_dropped_and_output_values_unwrapped():
    struct = struct_pb2.Struct()
    struct.update({"gone": None, "kept": {"also": None, "here": 1}})
    output = struct.fields["late"].struct_value.fields
    output["4dabf18193072939515e22adb298388d"].string_value = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
    output["secret"].bool_value = True
    assert decode(struct) == {"kept": {"here": 1}, "late": Secret(UNKNOWN)}


def test_secrets_never_show():
    value = {"data": Secret({"password": "hunter22"})}
    assert "hunter22" not in repr(value)
    assert plain(value) == {"data": {"password": "hunter22"}}
    assert secret_texts(value) == {"hunter22"}
    assert scrubbed("invalid: hunter22!", value) == "invalid: [secret]!"
    assert annotate({"data": {"password": "new"}, "x": 1}, value) == {
        "data": Secret({"password": "new"}),
        "x": 1,
    }
    assert has_unknown({"a": [Secret({"b": UNKNOWN})]})


def test_ids_and_kinds():
    assert objects.object_id({"metadata": {"name": "n", "namespace": "ns"}}) == "ns/n"
    assert objects.object_id({"metadata": {"name": "n"}}) == "n"
    assert objects.split_id("ns/n") == ("ns", "n")
    assert objects.split_id("n") == (None, "n")
    assert objects.type_of_urn(URN) == ("v1", "ConfigMap")
    nested = "urn:pulumi:dev::p::fleet:index:X$kubernetes:apps/v1:Deployment::a::b"
    assert objects.type_of_urn(nested) == ("apps/v1", "Deployment")
    assert objects.name_of_urn(nested) == "a::b"
    assert objects.namespaced_by_table("v1", "Namespace") is False
    assert objects.namespaced_by_table("apps/v1", "Deployment") is True
    assert objects.namespaced_by_table("argoproj.io/v1alpha1", "Application") is None


def test_automatic_names_are_kept_and_marked():
    made = objects.named({"kind": "ConfigMap"}, {}, URN, b"seed")
    assert made["metadata"]["name"].startswith("settings-")
    assert objects.is_autonamed(made)
    again = objects.named({"kind": "ConfigMap"}, made, URN, b"another seed")
    assert again["metadata"]["name"] == made["metadata"]["name"]
    given = {"metadata": {"name": "mine"}}
    assert objects.named(given, made, URN, b"seed") == given
    assert objects.named({"metadata": {"name": UNKNOWN}}, {}, URN, b"s")["metadata"] == {
        "name": UNKNOWN
    }


def test_a_secret_is_secret_whoever_wrote_it():
    live = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "s",
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "all of it"},
        },
        "data": {"a": "Yg=="},
    }
    state = objects.to_state(live, {"apiVersion": "v1"}, "manager")
    assert state["data"] == Secret({"a": "Yg=="})
    assert "managedFields" not in state["metadata"]
    assert isinstance(*state["metadata"]["annotations"].values(), Secret)
    assert drift.imported_inputs(live) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": Secret({"a": "Yg=="}),
    }


def test_crd_keys_get_their_dashes_back():
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"x_kubernetes_preserve_unknown_fields": True}]},
        "__fieldManager": "x",
    }
    assert objects.to_api(crd)["spec"] == {
        "versions": [{"x-kubernetes-preserve-unknown-fields": True}]
    }
    assert "__fieldManager" not in objects.to_api(crd)


def test_refresh_sees_drift_only_in_what_the_program_set():
    inputs = {"kind": "X", "spec": {"cpu": "1000m", "size": 1, "ports": [{"port": 80}], "tag": "a"}}
    before = {
        "kind": "X",
        "spec": {"cpu": "1", "size": 1, "ports": [{"port": 80, "proto": "TCP"}], "tag": "a"},
    }
    live = {
        "kind": "X",
        "spec": {"cpu": "1", "size": 2, "ports": [{"port": 81, "proto": "TCP"}], "more": True},
    }
    assert drift.refreshed_inputs(inputs, before, live)["spec"] == {
        "cpu": "1000m",
        "size": 2,
        "ports": [{"port": 81}],
    }
    assert drift.refreshed_inputs(inputs, before, before) == inputs


def test_refresh_sees_drift_of_string_data():
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    inputs = {"apiVersion": "v1", "kind": "Secret", "stringData": Secret({"a": "1", "b": "2"})}
    live = {"apiVersion": "v1", "kind": "Secret", "data": {"a": encoded("9"), "b": encoded("2")}}
    fresh = drift.refreshed_inputs(inputs, {"apiVersion": "v1", "kind": "Secret"}, live)
    assert fresh["stringData"] == Secret({"a": "9", "b": "2"})


def test_ownership_moves_once():
    def entry(manager: str, operation: str, fields: dict, **more: str) -> dict:
        return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}

    live = {
        "metadata": {
            "resourceVersion": "7",
            "managedFields": [
                entry("ours", "Update", {"f:a": {"f:x": {}}}),
                entry("kubectl-edit", "Update", {"f:a": {"f:y": {}}}),
                entry("controller", "Update", {"f:status": {}}, subresource="status"),
                entry("theirs", "Apply", {"f:b": {}}),
            ],
        }
    }
    moved = ownership.taken_over(live, "ours")
    assert moved is not None
    assert [one["manager"] for one in moved] == ["controller", "theirs", "ours"]
    assert moved[-1]["operation"] == "Apply"
    assert moved[-1]["fieldsV1"] == {"f:a": {"f:x": {}, "f:y": {}}}
    assert ownership.patch(live, moved)[1]["value"] == "7", "a race is a conflict, not a loss"
    live["metadata"]["managedFields"] = moved
    assert ownership.taken_over(live, "ours") is None
