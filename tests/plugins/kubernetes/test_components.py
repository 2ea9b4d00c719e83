"""`ConfigGroup` and `Chart`: the remote components."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.plugins

CANARY = "CANARY-chart-value"

PROGRAM = f"""
only = pulumi.ResourceOptions(providers=[provider])
ns = k8s.core.v1.Namespace('ns', metadata={{'name': 'parts'}}, opts=o)
crd = {{'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition',
  'metadata': {{'name': 'widgets.parts.test'}},
  'spec': {{'group': 'parts.test', 'scope': 'Cluster',
    'names': {{'kind': 'Widget', 'plural': 'widgets'}},
    'versions': [{{'name': 'v1', 'served': True, 'storage': True, 'schema': {{'openAPIV3Schema':
      {{'type': 'object', 'x-kubernetes-preserve-unknown-fields': True}}}}}}]}}}}
crds = k8s.yaml.v2.ConfigGroup('crds', objs=[crd],
    opts=pulumi.ResourceOptions(providers=[provider], retain_on_delete=True))
group = k8s.yaml.v2.ConfigGroup('group', files=['manifests/*.yaml'],
    yaml='apiVersion: v1\\nkind: Secret\\nmetadata: {{name: raw, namespace: parts}}\\n'
         'stringData: {{p: {CANARY}}}',
    objs=[{{'apiVersion': 'parts.test/v1', 'kind': 'Widget', 'metadata': {{'name': 'one'}}}},
          {{'apiVersion': 'v1', 'kind': 'ConfigMap',
            'metadata': {{'name': 'late', 'namespace': 'parts', 'annotations': {{'uid': ns.metadata.uid}}}},
            'data': {{'p': pulumi.Output.secret('{CANARY}')}}}}],
    opts=pulumi.ResourceOptions(providers=[provider], depends_on=[ns, crds]))
chart = k8s.helm.v4.Chart('chart', chart='./chart', namespace='parts',
    values={{'size': int(os.environ.get('SIZE', '1')), 'password': pulumi.Output.secret('{CANARY}')}},
    opts=pulumi.ResourceOptions(providers=[provider], depends_on=[ns]))
pulumi.export('urns', group.resources.apply(lambda found: len(found)))
"""

FILES = {
    "manifests/list.yaml": """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed, namespace: parts}, data: {date: 2026-01-01}}
- {apiVersion: v1, kind: Namespace, metadata: {name: parts-two, annotations: {pulumi.com/skipAwait: 'true'}}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: waits, namespace: parts-two}}
---
""",
    "manifests/unnamed.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: in-default}}",
    "chart/Chart.yaml": "{apiVersion: v2, name: tiny, version: 0.1.0}",
    "chart/values.yaml": "{size: 0, password: ''}",
    "chart/crds/gadget.yaml": """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.parts.test}
spec:
  group: parts.test
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
""",
    "chart/templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {size: "{{ .Values.size }}", kube: "{{ .Capabilities.KubeVersion.Minor }}", url: "x://u:{{ .Values.password }}@h"}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-secret}
data: {p: {{ .Values.password | b64enc }}}
---
apiVersion: parts.test/v1
kind: Gadget
metadata: {name: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
""",
}


def test_groups_and_charts(project, plane):
    for name, text in FILES.items():
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project.write(PROGRAM)

    project.pulumi("preview", "--diff")
    project.up()

    state = project.resources()
    group = {name: one["type"] for name, one in state.items() if name.startswith("group:")}
    assert group == {
        "group:parts/listed": "kubernetes:core/v1:ConfigMap",
        "group:parts-two": "kubernetes:core/v1:Namespace",
        "group:parts-two/waits": "kubernetes:core/v1:ConfigMap",
        "group:default/in-default": "kubernetes:core/v1:ConfigMap",
        "group:parts/raw": "kubernetes:core/v1:Secret",
        "group:one": "kubernetes:parts.test/v1:Widget",
        "group:parts/late": "kubernetes:core/v1:ConfigMap",
    }
    assert {name for name in state if name.startswith("chart:")} == {
        "chart:gadgets.parts.test",
        "chart:parts/chart-config",
        "chart:parts/chart-secret",
        "chart:parts/one",
    }, "CRDs are in, hooks are not"
    assert state["crds:widgets.parts.test"]["retainOnDelete"] is True
    assert state["group:parts/listed"]["parent"] == state["group"]["urn"]
    assert state["group:parts/listed"]["inputs"]["data"] == {"date": "2026-01-01"}
    assert json.loads(project.pulumi("stack", "output", "urns")) == len(group)
    assert plane.get("-n", "parts", "configmap", "chart-config")["data"]["kube"] != "0"

    project.pulumi("preview", "--expect-no-changes")
    changed = project.up(SIZE="2")
    assert "+-1 replaced" in changed
    assert plane.get("-n", "parts", "configmap", "chart-config")["data"]["size"] == "2"

    project.destroy()
    crds = plane.kubectl("get", "crd")
    assert "widgets.parts.test" in crds, "retained"
    assert "gadgets.parts.test" not in crds
    for text in project.seen:
        assert CANARY not in text
