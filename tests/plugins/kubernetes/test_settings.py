"""Provider options, kubeconfigs, and what `check` fills in or refuses."""

from __future__ import annotations

import json

import pytest

from lab.plugins.kubernetes import kubeconfig, settings
from lab.plugins.kubernetes.check import check_inputs, without_stray_namespace
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.wire import UNKNOWN, Secret

URN = "urn:pulumi:dev::p::kubernetes:core/v1:ConfigMap::cm"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "stores.x.io"},
    "spec": {"group": "x.io", "scope": "Cluster", "names": {"kind": "Store"}},
}


def config(server: str = "https://a", **context: str) -> str:
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t0ken"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", **context}}],
            "current-context": "x",
        }
    )


def session(**inputs: object) -> Session:
    given = settings.parse({"kubeconfig": config("http://127.0.0.1:9"), **inputs}, {})
    return Session(given, lambda *_: None)


def test_unknown_and_unsupported_options_are_refused():
    assert settings.check({"kubeconfig": Secret("x"), "namespace": UNKNOWN, "version": "4"}) == []
    wrong = settings.check(
        {"contxt": "a", "enablePatchForce": "perhaps", "renderYamlToDirectory": "d"}
    )
    assert [name for name, _ in wrong] == ["contxt", "enablePatchForce", "renderYamlToDirectory"]
    assert "did you mean 'context'?" in wrong[0][1]
    assert settings.check({"enableServerSideApply": "false"})


def test_inputs_win_over_the_environment():
    found = settings.parse(
        {"enableSecretMutable": "true"}, {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
    )
    assert found.upsert
    assert found.mutability.secret
    assert not found.mutability.config_map
    assert "t0ken" not in repr(settings.parse({"kubeconfig": Secret(config())}, {}))
    assert settings.parse({"kubeconfig": UNKNOWN}, {}).unknown


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        ({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}, ["clusterIdentifier"]),
        (
            {"clusterIdentifier": "a", "kubeconfig": config("https://a")},
            {"clusterIdentifier": "a", "kubeconfig": config("https://b")},
            [],
        ),
        ({"kubeconfig": config("https://a")}, {"kubeconfig": config("https://b")}, ["kubeconfig"]),
        (
            {"kubeconfig": config("https://a")},
            {"kubeconfig": Secret(config("https://a", namespace="n"))},
            [],
        ),
    ],
)
def test_what_means_another_cluster(old, new, replaced):
    assert settings.replacing(old, new) == replaced


def test_kubeconfigs_by_content_path_and_default(tmp_path):
    (tmp_path / "one").write_text(config(namespace="team"))
    by_path = kubeconfig.load(str(tmp_path / "one"))
    assert kubeconfig.active_cluster(by_path, None, None)[2] == "team"
    assert kubeconfig.load(config()) == kubeconfig.load(
        None, {"KUBECONFIG": str(tmp_path / "one")}
    ) | {"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}
    access = kubeconfig.access(by_path, None, None)
    assert access.headers == {"Authorization": "Bearer t0ken"}
    assert "t0ken" not in repr(access)


@pytest.mark.parametrize(
    ("text", "context", "told"),
    [
        ("a: [", None, "no valid YAML"),
        ("{}", None, "names no clusters"),
        ("no/such/file.yaml", None, "no such file"),
        (config(), "other", "context 'other' is not in the kubeconfig \\(it has: x\\)"),
    ],
)
def test_bad_kubeconfigs_say_what_is_wrong(text, context, told):
    with pytest.raises(kubeconfig.KubeconfigError, match=told):
        kubeconfig.access(kubeconfig.load(text), context, None)


def test_names_and_namespaces_are_filled_in():
    inputs, wrong = check_inputs(session(namespace="team"), URN, {}, {"data": {"a": UNKNOWN}}, b"s")
    assert not wrong
    assert inputs["apiVersion"] == "v1"
    assert inputs["kind"] == "ConfigMap"
    assert inputs["metadata"]["namespace"] == "team"
    assert inputs["metadata"]["name"].startswith("cm-")

    role = "urn:pulumi:dev::p::kubernetes:rbac.authorization.k8s.io/v1:ClusterRole::r"
    inputs, _ = check_inputs(session(), role, {}, {"metadata": {"name": "r"}}, b"s")
    assert inputs["metadata"] == {"name": "r"}

    secret = "urn:pulumi:dev::p::kubernetes:core/v1:Secret::s"
    inputs, _ = check_inputs(session(), secret, {}, {"stringData": {"a": "b"}}, b"s")
    assert inputs["stringData"] == Secret({"a": "b"})


def test_scopes_of_new_kinds_come_from_their_crds():
    ours = session()
    store = {"apiVersion": "x.io/v1", "kind": "Store", "metadata": {"name": "one"}}
    urn = "urn:pulumi:dev::p::kubernetes:x.io/v1:Store::one"
    guessed, _ = check_inputs(ours, urn, {}, store, b"s")
    assert guessed["metadata"]["namespace"] == "default", "nobody knows yet"
    crd = "urn:pulumi:dev::p::kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition::crd"
    check_inputs(ours, crd, {}, CRD, b"s")
    known, _ = check_inputs(ours, urn, guessed, store, b"s")
    assert known["metadata"] == {"name": "one"}
    old, new = without_stray_namespace(ours, guessed, known)
    assert old == new, "a wrong guess replaces nothing"


@pytest.mark.parametrize(
    ("urn", "inputs", "told"),
    [
        ("odd", {}, "require a kind and apiVersion"),
        (URN, {"kind": "ConfigMapList", "items": []}, "declare their items one by one"),
        (URN, {"metadata": {"generateName": "x-"}}, "generateName"),
        (URN, {"metadata": {"name": ""}}, "must be a text"),
        (URN + "x".join(["", ""]), {"metadata": "x"}, "must be an object"),
        (URN.replace("ConfigMap", "ConfigMapPatch"), {"kind": "ConfigMap"}, "not supported"),
        (URN.replace("core/v1:ConfigMap", "helm.sh/v3:Release"), {}, "not supported"),
    ],
)
def test_what_is_refused_offline(urn, inputs, told):
    _, wrong = check_inputs(session(), urn, {}, inputs, b"s")
    assert told in wrong[0][1]


def test_credential_plugins_are_run(tmp_path):
    plugin = tmp_path / "credentials"
    plugin.write_text(
        '#!/bin/sh\necho \'{"apiVersion": "client.authentication.k8s.io/v1",'
        ' "kind": "ExecCredential", "status": {"token": "from-plugin"}}\'\n'
    )
    plugin.chmod(0o755)
    found = json.loads(config())
    settings_of_plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(plugin),
        "interactiveMode": "Never",
    }
    found["users"][0]["user"] = {"exec": settings_of_plugin}
    headers = kubeconfig.access(found, None, None).headers
    assert headers == {"Authorization": "Bearer from-plugin"}
    settings_of_plugin["command"] = "no-such-program"
    with pytest.raises(kubeconfig.KubeconfigError, match="credential plugin no-such-program"):
        kubeconfig.access(found, None, None)
