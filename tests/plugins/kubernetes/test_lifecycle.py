"""Create, update, replace, refresh, import and delete through the real CLI and API server."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.plugins

CANARY = "CANARY-s3cr3t-value"

PROGRAM = f"""
step = int(os.environ.get('STEP', '1'))
mutable = k8s.Provider('mutable', kubeconfig=provider.kubeconfig, enable_config_map_mutable=True,
                       enable_secret_mutable=True, cluster_identifier='lab')
ns = k8s.core.v1.Namespace('ns', metadata={{'name': 'life'}}, opts=o)
name = ns.metadata.name
labels = {{'keep': 'yes', 'stage': f's{{step}}'}} | ({{'drop': 'me'}} if step == 1 else {{}})
notes = {{'pulumi.com/patchForce': 'true'}} if step == 4 else {{}}
sa = k8s.core.v1.ServiceAccount('sa', opts=o,
    metadata={{'name': 'sa', 'namespace': name, 'labels': labels, 'annotations': notes}})
token = k8s.core.v1.Secret('token', type='kubernetes.io/service-account-token', opts=o,
    metadata={{'name': 'token', 'namespace': name,
               'annotations': {{'kubernetes.io/service-account.name': sa.metadata.name}}}})
k8s.core.v1.ConfigMap('sealed', metadata={{'name': 'sealed', 'namespace': name}}, opts=o,
    data={{'step': str(step), 'uid': ns.metadata.uid}})
k8s.core.v1.ConfigMap('open', metadata={{'name': 'open', 'namespace': name}},
    data={{'step': str(step)}} | ({{'gone': '1'}} if step == 1 else {{}}),
    opts=pulumi.ResourceOptions(provider=mutable))
auto = k8s.core.v1.ConfigMap('Auto', data={{'a': '1'}}, opts=o)
secret = k8s.core.v1.Secret('secret', metadata={{'name': 'secret', 'namespace': name}},
    string_data={{'password': '{CANARY}' + str(step)}},
    opts=pulumi.ResourceOptions(provider=mutable))
k8s.rbac.v1.RoleBinding('binding', metadata={{'name': 'binding', 'namespace': name}}, opts=o,
    subjects=[{{'kind': 'ServiceAccount', 'name': 'sa', 'namespace': 'life'}}],
    role_ref={{'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'ClusterRole',
              'name': 'view' if step == 1 else 'edit'}})
pulumi.export('auto', auto.metadata.name)
pulumi.export('uid', ns.metadata.uid)
pulumi.export('token', token.data['token'])
"""


def test_life_of_objects(project, plane):
    project.write(PROGRAM)

    preview = project.pulumi("preview", "--diff")
    assert "11 to create" in preview
    assert "life" not in plane.kubectl("get", "namespaces"), "a preview must create nothing"

    project.up()
    state = project.resources()
    assert state["sa"]["id"] == "life/sa"
    assert state["ns"]["id"] == "life"
    assert state["sa"]["outputs"]["__fieldManager"].startswith("pulumi-kubernetes-")
    assert "managedFields" not in state["sa"]["outputs"]["metadata"]
    assert state["Auto"]["id"].startswith("default/auto-")
    outputs = project.pulumi("stack", "output", "--json")
    assert plane.get("namespace", "life")["metadata"]["uid"] in outputs
    assert "[secret]" in outputs, "the token is filled in, and secret"
    live = plane.get("-n", "life", "serviceaccount", "sa")
    first_uid = live["metadata"]["uid"]
    assert "last-applied" not in str(live)
    assert {one["operation"] for one in live["metadata"]["managedFields"]} == {"Update"}
    sealed_uid = plane.get("-n", "life", "configmap", "sealed")["metadata"]["uid"]
    open_uid = plane.get("-n", "life", "configmap", "open")["metadata"]["uid"]

    project.pulumi("preview", "--expect-no-changes")

    diff = project.pulumi("preview", "--diff", STEP="2")
    assert '"s1" => "s2"' in diff
    assert "replace" in diff
    done = project.up(STEP="2")
    assert "+-2 replaced" in done, "ConfigMap without the mutable option, and roleRef"
    live = plane.get("-n", "life", "serviceaccount", "sa")
    assert live["metadata"]["uid"] == first_uid, "labels change in place"
    assert live["metadata"]["labels"] == {"keep": "yes", "stage": "s2"}, "`drop` is really gone"
    assert plane.get("-n", "life", "configmap", "sealed")["metadata"]["uid"] != sealed_uid
    opened = plane.get("-n", "life", "configmap", "open")
    assert opened["metadata"]["uid"] == open_uid
    assert opened["data"] == {"step": "2"}
    assert plane.get("-n", "life", "rolebinding", "binding")["roleRef"]["name"] == "edit"

    # Somebody else takes a field by server-side apply.
    theirs = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa, namespace: life, labels: {stage: theirs}}}"
    apply = ("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-")
    plane.kubectl(*apply, stdin=theirs)
    conflict = project.up(ok=False, STEP="3")
    assert "field conflict" in conflict
    assert "other" in conflict
    assert "patchForce" in conflict
    project.up(STEP="4")
    assert plane.get("-n", "life", "serviceaccount", "sa")["metadata"]["labels"]["stage"] == "s4"

    # Drift is found by refresh and put right by the next up.
    patch = '{"data": {"step": "drifted", "theirs": "1"}}'
    plane.kubectl("patch", "-n", "life", "configmap", "open", "--type=merge", "-p", patch)
    plane.kubectl(
        "patch", "-n", "life", "secret", "secret", "-p", '{"stringData": {"password": "x1"}}'
    )
    plane.kubectl("delete", "-n", "life", "configmap", "sealed")
    project.pulumi("refresh", "--preview-only", "--expect-no-changes", ok=False, STEP="4")
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", STEP="4")
    assert "~ 2 updated" in refreshed
    assert "- 1 deleted" in refreshed
    assert project.resources()["open"]["inputs"]["data"] == {"step": "drifted"}
    project.up(STEP="4")
    assert plane.get("-n", "life", "configmap", "open")["data"]["step"] == "4"
    assert plane.get("-n", "life", "configmap", "sealed")["data"]["step"] == "4"
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", STEP="4")

    plane.kubectl("create", "-n", "life", "configmap", "found", "--from-literal=a=b")
    project.pulumi(
        *("import", "kubernetes:core/v1:ConfigMap", "found", "life/found"),
        *("--yes", "--skip-preview", "--generate-code=false", "--protect=false"),
        f"--provider=lab={project.resources()['lab']['urn']}",
        STEP="4",
    )
    assert project.resources()["found"]["inputs"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "found", "namespace": "life"},
        "data": {"a": "b"},
    }

    project.destroy(STEP="4")
    assert "life" not in plane.kubectl("get", "namespaces"), "destroy waits until it is gone"
    for text in project.seen:
        assert CANARY not in text
