"""The settings that a workload's manifest would give its container: the lab runs it on the host."""

from __future__ import annotations

from typing import Any

from lab.kube import KubeApi


def settings_of(api: KubeApi, namespace: str, resource: str, name: str) -> dict[str, str]:
    """Environment variables that come from ConfigMaps, of the first container of a workload.

    ``resource`` is ``deployments`` or ``statefulsets``. So a setting in ``argocd-cm`` or
    ``argocd-cmd-params-cm`` works in the lab as in a cluster. Fixed values are left out: they are
    paths in the container.
    """
    found = api.get(f"/apis/apps/v1/namespaces/{namespace}/{resource}/{name}")
    if found is None:
        return {}
    containers = found["spec"]["template"]["spec"]["containers"]
    maps: dict[str, dict[str, str]] = {}
    settings = {}
    for variable in containers[0].get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("configMapKeyRef")
        if reference is None:
            continue
        if reference["name"] not in maps:
            maps[reference["name"]] = _config_map(api, namespace, reference["name"])
        value = maps[reference["name"]].get(reference["key"])
        if value is not None:
            settings[variable["name"]] = value
    return settings


def _config_map(api: KubeApi, namespace: str, name: str) -> dict[str, str]:
    found: dict[str, Any] = api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}") or {}
    data: dict[str, str] = found.get("data") or {}
    return data
