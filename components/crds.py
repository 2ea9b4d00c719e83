"""The CRDs of an installation, which Pulumi keeps a record of and the program applies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

import live.crds
import stacks
from stacks.cluster_api import ClusterAPI
from stacks.desired import crds as desired

TAKE_OVER = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"
"""The variable by which Pulumi's plugin takes over what exists; it counts for CRDs too."""
# Of its own: the SDK waits for its registrations in the event loop's.
_POOL = ThreadPoolExecutor(max_workers=8, thread_name_prefix="crds")


def record(
    resource: str,
    name: str,
    crds: Sequence[Mapping[str, Any]],
    access: stacks.ClusterAccess,
    namespace: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> kubernetes.core.v1.ConfigMap:
    """The ConfigMap `name`, `resource` to Pulumi, with a digest of each CRD; what objects of their kinds depend on.

    Whenever it is made or changed, the CRDs are applied to the cluster of `access` first, where it doesn't answer with
    the error of that. Nothing deletes them: with the ConfigMap goes the record only. docs/adr/0019 has the reasons.
    """

    async def apply(_: pulumi.ResourceHookArgs) -> None:
        def work() -> None:
            live.crds.apply(
                ClusterAPI.of(access), crds, take_over=os.environ.get(TAKE_OVER) == "true"
            )

        await asyncio.get_running_loop().run_in_executor(_POOL, work)

    hook = pulumi.ResourceHook(f"{access.context}: CRDs of {name}", apply)
    binding = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
    return kubernetes.core.v1.ConfigMap(
        resource,
        metadata={"name": name, "namespace": namespace},
        data=desired.digests(crds),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=binding)),
    )
