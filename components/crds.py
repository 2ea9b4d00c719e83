"""The CRDs of an installation: Pulumi keeps a record of them, and the program applies them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

import live.crds
from live.cluster_api import ClusterAPI
from live.existing import TAKE_OVER
from stacks.desired.objects import KubernetesObject
from stacks.model.access import ClusterAccess

# Of its own: the SDK waits for its registrations in the event loop's.
_POOL = ThreadPoolExecutor(max_workers=8, thread_name_prefix="crds")


@dataclass(frozen=True, kw_only=True)
class CrdsArgs:
    """The CRDs with a digest of each, the cluster that they go to, and the ConfigMap's name and namespace.

    `instead` says what to do where the CRDs belong to an installation that Fleet did not make, and that is to stay.
    """

    name: str
    namespace: pulumi.Input[str]
    crds: Sequence[KubernetesObject]
    digests: Mapping[str, str]
    access: ClusterAccess
    instead: str


def record(name: str, args: CrdsArgs, opts: pulumi.ResourceOptions) -> kubernetes.core.v1.ConfigMap:
    """The ConfigMap with a digest of each CRD: what objects of their kinds depend on.

    Before the engine makes or changes it, the CRDs are applied to the cluster; where that fails, so does the ConfigMap.
    Nothing deletes them: with the ConfigMap goes the record only. docs/adr/0019 has the reasons.
    """

    async def apply(_: pulumi.ResourceHookArgs) -> None:
        await asyncio.get_running_loop().run_in_executor(_POOL, _apply, args)

    hook = pulumi.ResourceHook(f"{args.access.context}/{args.name}", apply)
    binding = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
    return kubernetes.core.v1.ConfigMap(
        name,
        metadata={"name": args.name, "namespace": args.namespace},
        data=args.digests,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=binding)),
    )


def _apply(args: CrdsArgs) -> None:
    take_over = os.environ.get(TAKE_OVER) == "true"
    api = ClusterAPI.patient(args.access)
    try:
        live.crds.apply(api, args.crds, instead=args.instead, take_over=take_over)
    except live.crds.CrdError:
        raise
    except Exception as error:
        # The engine prints what a hook raises, and this one's text may hold anything.
        raise live.crds.CrdError(f"its CRDs can't be applied ({type(error).__name__})") from None
