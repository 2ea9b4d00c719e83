"""What goes wrong, and what the user then reads."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest

pytestmark = pytest.mark.plugins


def test_objects_that_never_become_ready_stay_in_state(project, plane):
    project.write("""
skip = os.environ.get('SKIP')
notes = {'pulumi.com/skipAwait': 'true'} if skip else {'pulumi.com/timeoutSeconds': '2'}
labels = {'app': 'stuck'}
k8s.apps.v1.Deployment('stuck', opts=o,
    metadata={'name': 'stuck', 'namespace': 'default', 'annotations': notes},
    spec={'replicas': 1, 'selector': {'matchLabels': labels}, 'template': {
        'metadata': {'labels': labels}, 'spec': {'containers': [{'name': 'c', 'image': 'none'}]}}})
k8s.batch.v1.Job('failing', opts=o,
    metadata={'name': 'failing', 'namespace': 'default', 'annotations': notes},
    spec={'template': {'spec': {'restartPolicy': 'Never',
                                'containers': [{'name': 'c', 'image': 'none'}]}}})
""")
    failed = project.up("--continue-on-error", ok=False)
    assert "0 of 1 updated Pods are available" in failed
    assert "Pod stuck-" in failed, "the Pods' own state is told"
    assert "Job is not complete" in failed
    state = project.resources()["stuck"]
    assert state["id"] == "default/stuck"
    assert state["initErrors"]
    project.pulumi("refresh", "--yes", "--skip-preview")

    project.up(SKIP="1")
    assert "initErrors" not in project.resources()["stuck"]
    project.destroy(SKIP="1")
    assert "stuck" not in plane.kubectl("get", "deployments", "-n", "default")


def test_existing_and_invalid_objects(project, plane):
    plane.kubectl("create", "configmap", "taken", "--from-literal=a=theirs")
    project.write("""
k8s.core.v1.ConfigMap('taken', metadata={'name': 'taken'}, data={'a': 'ours'}, opts=o)
k8s.core.v1.ConfigMap('wrong', metadata={'name': 'Not Valid'}, opts=o)
k8s.apiextensions.CustomResource('none', api_version='no.such/v1', kind='Thing',
    metadata={'name': 'x', 'namespace': 'default'}, opts=o)
""")
    process = project.up("--continue-on-error", "--target", "**taken", ok=False)
    assert 'configmaps "taken" already exists' in process
    process = project.up("--continue-on-error", "--target", "**wrong", ok=False)
    assert "a lowercase RFC 1123 subdomain" in process
    assert "taken" not in project.resources()

    project.write("""
k8s.core.v1.ConfigMap('taken', metadata={'name': 'taken'}, data={'a': 'ours'}, opts=o)
""")
    project.up(PULUMI_K8S_UPSERT_EXISTING_OBJECTS="true")
    assert plane.get("configmap", "taken")["data"] == {"a": "ours"}
    project.destroy(PULUMI_K8S_UPSERT_EXISTING_OBJECTS="true")


def test_unreachable_cluster_and_bad_settings(project, plane):
    project.write("""
k8s.core.v1.ConfigMap('here', metadata={'name': 'unreachable-test'}, data={'a': '1'}, opts=o)
""")
    project.up()
    dead = plane.kubeconfig.read_text().replace(f":{plane.port}", ":9")
    (project.folder / "dead").write_text(dead)
    program = """
dead = k8s.Provider('lab', kubeconfig=pulumi.Output.secret(open('dead').read()), cluster_identifier='lab')
d = pulumi.ResourceOptions(provider=dead)
k8s.core.v1.ConfigMap('here', metadata={'name': 'unreachable-test'}, data={'a': os.environ.get('A', '1')}, opts=d)
if os.environ.get('MORE'):
    k8s.core.v1.ConfigMap('more', metadata={'name': 'unreachable-more'}, opts=d)
"""
    (project.folder / "__main__.py").write_text(
        "import os, pulumi, pulumi_kubernetes as k8s\n" + program
    )
    unchanged = project.up()
    assert "configured Kubernetes cluster is unreachable: https://127.0.0.1:9" in unchanged
    assert "Connection refused" in unchanged
    assert "1 to create" in project.pulumi("preview", MORE="1")
    assert "configured Kubernetes cluster is unreachable" in project.up(ok=False, MORE="1")
    assert "configured Kubernetes cluster is unreachable" in project.up(ok=False, A="2")
    gone = project.pulumi("refresh", "--yes", "--skip-preview", ok=False)
    assert "PULUMI_K8S_DELETE_UNREACHABLE" in gone
    quarantine = project.up(A="2", PULUMI_K8S_SKIP_UPDATE_UNREACHABLE="true")
    assert "skipUpdateUnreachable" in quarantine
    project.up(PULUMI_K8S_DELETE_UNREACHABLE="true")
    project.destroy(PULUMI_K8S_DELETE_UNREACHABLE="true")
    assert plane.get("configmap", "unreachable-test")["data"] == {"a": "1"}

    project.write("""
pulumi.CustomResource.__init__  # the SDK drops unknown options, so go below it
class Odd(pulumi.ProviderResource):
    pass
Odd('kubernetes', 'odd', {'kubeconfg': 'x'}, pulumi.ResourceOptions())
k8s.Provider('broken', kubeconfig='{"not": "one"}')
""")
    wrong = project.pulumi("preview", ok=False)
    assert "unknown option of the kubernetes provider; did you mean 'kubeconfig'?" in wrong


def test_no_plugin_outlives_a_killed_cli(project):
    project.write("""
k8s.core.v1.Pod('never', opts=o, metadata={'name': 'killed', 'namespace': 'default'},
    spec={'containers': [{'name': 'c', 'image': 'none'}]})
""")
    cli = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    plugins: list[psutil.Process] = []
    end = time.monotonic() + 30
    while time.monotonic() < end and not plugins:
        time.sleep(0.2)
        family = psutil.Process(cli.pid).children(recursive=True)
        plugins = [one for one in family if "pulumi-resource-kubernetes" in str(one.cmdline())]
    assert plugins
    time.sleep(2)
    os.kill(cli.pid, signal.SIGKILL)
    cli.wait()
    gone, alive = psutil.wait_procs(plugins, timeout=10)
    assert not alive
    project.plane.kubectl(
        "delete", "pod", "killed", "-n", "default", "--ignore-not-found", "--force"
    )
    assert gone
