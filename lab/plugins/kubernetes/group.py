"""Remote components: registering the objects of a `ConfigGroup` or a `Chart` with the engine.

Straight to the engine's monitor over gRPC, not through the SDK's resources: no serialisation of big
CRDs node by node, and no pool of threads that parents and children could block each other in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from lab.plugins.kubernetes import VERSION, helm_chart, manifest, objects
from lab.plugins.kubernetes.cluster import canonical
from lab.plugins.kubernetes.placing import with_namespaces
from lab.plugins.kubernetes.session import Session
from lab.plugins.kubernetes.wire import (
    UNKNOWN,
    Object,
    Reference,
    decode,
    encode,
    has_unknown,
    plain,
)
from lab.plugins.servicer import ProviderError

CONFIG_GROUP = "kubernetes:yaml/v2:ConfigGroup"
CONFIG_FILE = "kubernetes:yaml/v2:ConfigFile"
CHART = "kubernetes:helm.sh/v4:Chart"

_INHERITED = ("protect", "retainOnDelete")
_OWN = ("deleteBeforeReplace",)
_SKIP_AWAIT = "pulumi.com/skipAwait"
_KEEP = "helm.sh/resource-policy"


class Construction:
    """One `Construct` call: a component and its children."""

    def __init__(self, request: Any, session: Session, run: Callable[..., Awaitable[Any]]) -> None:
        self._request = request
        self._session = session
        self._run = run
        self._inputs = decode(request.inputs)
        self._urn = ""

    async def build(self) -> Any:
        """Register component and children, and return when all of them exist.

        Raises `ProviderError` for an unknown component, bad manifests and failed children.
        """
        if self._request.type not in (CONFIG_GROUP, CONFIG_FILE, CHART):
            raise ProviderError(
                f"{self._request.type}: the lab's kubernetes plugin knows no such component"
            )
        address = self._request.monitorEndpoint
        async with grpc.aio.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS) as channel:
            monitor: Any = resource_pb2_grpc.ResourceMonitorStub(channel)
            self._urn = (await monitor.RegisterResource(self._component())).urn
            found = await self._objects()
            children = await self._children(monitor, found)
            state = encode({"resources": children})
            await monitor.RegisterResourceOutputs(
                resource_pb2.RegisterResourceOutputsRequest(urn=self._urn, outputs=state)
            )
        return provider_pb2.ConstructResponse(urn=self._urn, state=state)

    def _component(self) -> Any:
        asked = self._request
        request = resource_pb2.RegisterResourceRequest(
            type=asked.type,
            name=asked.name,
            parent=asked.parent,
            custom=False,
            dependencies=asked.dependencies,
            providers=asked.providers,
            aliasURNs=asked.aliases,
            ignoreChanges=asked.ignoreChanges,
            replaceOnChanges=asked.replaceOnChanges,
            additionalSecretOutputs=asked.additionalSecretOutputs,
            deletedWith=asked.deletedWith,
            acceptSecrets=True,
            acceptResources=True,
        )
        for name in (*_INHERITED, *_OWN):
            if asked.HasField(name):
                setattr(request, name, getattr(asked, name))
        return request

    async def _objects(self) -> list[Object]:
        """Return the objects to register, none where a preview can't know them."""
        asked, inputs = self._request, self._inputs
        needed = inputs if asked.type == CHART else {k: v for k, v in inputs.items() if k != "objs"}
        if has_unknown(needed) or plain(inputs.get("objs")) is UNKNOWN:
            await self._run(
                self._session.log,
                "WARNING",
                "Input properties have unknown values. Preview is incomplete.",
                self._urn,
            )
            return []
        try:
            if asked.type == CHART:
                return list(await self._run(helm_chart.render, self._session, asked.name, inputs))
            return list(await self._run(self._manifests))
        except manifest.ManifestError as error:
            raise ProviderError(f"{asked.name}: {error}") from None

    def _manifests(self) -> list[Object]:
        inputs = self._inputs
        found: list[Object] = []
        file = plain(inputs.get("file"))
        for name in [*([file] if file else []), *plain(inputs.get("files") or [])]:
            found += manifest.read(name)
        if inputs.get("yaml"):
            found += manifest.parse(plain(inputs["yaml"]), "yaml")
        found += [obj for obj in manifest.unwrap_list(inputs.get("objs")) if obj]
        return with_namespaces(self._session, manifest.flatten(found))

    async def _children(self, monitor: Any, found: list[Object]) -> list[Reference]:
        """Register the objects; without those that failed where the engine goes on after a failure."""
        waits = manifest.dependencies(found)
        tasks: list[asyncio.Task[tuple[str, Reference | None]]] = []

        async def register(obj: Object, before: list[int]) -> tuple[str, Reference | None]:
            urns = [(await tasks[position])[0] for position in before]
            answer = await monitor.RegisterResource(self._child(obj, urns))
            # A failed component would end the whole update: the engine knows of the object's own failure.
            failed = answer.result != resource_pb2.SUCCESS
            reference = Reference(answer.urn, answer.id or UNKNOWN, VERSION)
            return answer.urn, None if failed else reference

        for obj, before in zip(found, waits, strict=True):
            tasks.append(asyncio.create_task(register(obj, before)))
        done = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [one for one in done if isinstance(one, BaseException)]
        if failed:
            # The engine shows each child's own error; here only that there are some.
            names = [
                objects.object_id(obj)
                for obj, one in zip(found, done, strict=True)
                if one in failed
            ]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ProviderError(f"{names[0]}{more} of its {len(found)} objects failed")
        return [one[1] for one in done if isinstance(one, tuple) and one[1]]

    def _child(self, obj: Object, before: list[str]) -> Any:
        asked = self._request
        if plain(self._inputs.get("skipAwait")):
            obj = _annotated(obj, _SKIP_AWAIT, "true")
        prefix = plain(self._inputs.get("resourcePrefix", asked.name))
        token, name = _token(obj), manifest.resource_name(prefix, obj)
        request = resource_pb2.RegisterResourceRequest(
            type=token,
            name=name,
            parent=self._urn,
            custom=True,
            object=encode(objects.with_secrets(obj)),
            dependencies=before,
            provider=asked.providers.get("kubernetes", ""),
            version="" if "kubernetes" in asked.providers else VERSION,
            deletedWith=asked.deletedWith,
            aliasURNs=[_child_alias(one, token, asked.name, name) for one in asked.aliases],
            acceptSecrets=True,
            acceptResources=True,
            supportsPartialValues=True,
            supportsResultReporting=True,
        )
        if objects.full_kind(obj) == "v1/Secret":
            request.additionalSecretOutputs.extend(["data", "stringData"])
        for option in _INHERITED:
            if asked.HasField(option):
                setattr(request, option, getattr(asked, option))
        if asked.type == CHART and objects.annotation(obj, _KEEP) == "keep":
            request.retainOnDelete = True
        return request


def _token(obj: Object) -> str:
    """Return the type of a child: built-in kinds of the core group are in `core/v1`."""
    api_version = canonical(objects.text(plain(obj["apiVersion"])))
    module = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{module}:{plain(obj['kind'])}"


def _annotated(obj: Object, name: str, value: str) -> Object:
    meta = obj["metadata"]
    return {
        **obj,
        "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), name: value}},
    }


def _child_alias(parent: str, token: str, parent_name: str, child_name: str) -> str:
    """Return what a child was called when its parent was called `parent` (a URN)."""
    start, _, old_name = parent.rpartition("::")
    rest = child_name.removeprefix(parent_name)
    name = old_name + rest if rest != child_name else child_name
    return f"{start}${token}::{name}"
