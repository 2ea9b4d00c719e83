"""Questions asked before anything is created: what would be taken from the hub, who does not answer?

A lost label takes Applications away: that stops the run before the first object. A spoke that doesn't answer is only
named: the others must still converge.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx

from live import disruption, handing_over, hub_state, joining, losses, ownership
from live.cluster_api import ClusterAPI, Unreachable
from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.load import stack_file, with_lines
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import Problem, StackError
from stacks.model.fleet import Fleet

TIMEOUT = 5.0


def require_hub(
    fleet: Fleet,
    stack: str,
    kubeconfig: Kubeconfig,
    *,
    preview: bool,
    found: Sequence[Problem] = (),
) -> list[str]:
    """Make sure that `up` would take no Applications away unasked, nor anything that is another stack's.

    `found` are problems of the stack's clusters that are known already, to be told together with the hub's.

    Gives warnings: what `fleet:allowDeletion` allows, or does not; in a `preview`, that the hub can't be read.
    Raises StackError, naming the stack file of `stack`, with every problem; where the hub can't be read and it is no
    preview, with that.
    """
    api = ClusterAPI(kubeconfig, fleet.hub.context)
    source, path = f"stacks/Pulumi.{stack}.yaml", stack_file(stack)
    try:
        live = ownership.claimed(fleet, stack, hub_state.read(api, fleet.argocd.namespace))
        live = _with_applications(fleet, stack, api, live)
    except Unreachable as error:
        said = f"the hub ({fleet.hub.context}) can't be read: {error}"
        if preview and not found:
            return [f"{said}; so this preview can't tell whether `up` would delete Applications"]
        problem = Problem("fleet:hub.context", f"{said}; `up` must know what it would delete")
        raise StackError(source, with_lines([*found, problem], path)) from None
    problems = [
        *found,
        *ownership.problems(fleet, stack, live),
        *joining.problems(fleet, stack, live),
        *disruption.problems(fleet, stack, live),
        *handing_over.problems(fleet, stack, live),
    ]
    if problems:
        raise StackError(source, with_lines(problems, path))
    return disruption.notes(fleet, stack, live)


def _with_applications(
    fleet: Fleet, stack: str, api: ClusterAPI, live: hub_state.HubState
) -> hub_state.HubState:
    """The state with the Applications that a problem is about. Raises Unreachable where they decide if it is one."""
    losing = {loss.spoke for loss in losses.losses(fleet, stack, live)}
    if handing_over.changing(fleet, stack, live):
        everywhere = {cluster.name for cluster in live.clusters}
        found = hub_state.applications(api, live.namespace, losing | everywhere)
        return replace(live, applications=found)
    try:
        found = hub_state.applications(api, live.namespace, losing) if losing else ()
    except Unreachable:
        return live  # Their names only make the message clearer.
    return replace(live, applications=found)


def silent(fleet: Fleet, endpoints: Mapping[str, Endpoint]) -> dict[str, str]:
    """The spokes whose API server gives no answer at all within a few seconds, each with a warning, in the given order.

    Asked are only spokes that Pulumi itself talks to: neither one in quarantine, nor one that only the hub must reach.
    """
    asked = []
    with ThreadPoolExecutor(max_workers=16) as pool:
        for spoke in fleet.spokes:
            access = endpoints[spoke.name].access
            if access and fleet.works_on(spoke) and not spoke.quarantine and not spoke.in_cluster:
                # Not by its address: it may hold a password.
                through = " through its context's proxy" if access.proxy else ""
                place = f"{access.server}{through}"
                asked.append((spoke.name, place, pool.submit(_answers, access)))
    return {
        name: f"{name} does not answer at {place}; its changes will fail. If it stays so, give it `quarantine: <why>`"
        for name, place, answer in asked
        if not answer.result()
    }


def _answers(cluster: ClusterAccess) -> bool:
    if cluster.proxy.lower().startswith("socks"):
        return (
            True  # httpx asks through none without a package of its own; Pulumi's plugin will tell.
        )
    try:
        # Any status will do: /readyz may well be refused to an unknown caller. And any certificate: nothing is sent or
        # believed, and only the plugin knows all by which a kubeconfig says how to check one.
        httpx.get(
            f"{cluster.server}/readyz",
            verify=False,  # noqa: S501
            timeout=TIMEOUT,
            proxy=cluster.proxy or None,
        )
    except httpx.TransportError as error:
        said = getattr(error.__cause__, "args", ())
        # Who wants a certificate first has answered as well; who only hangs up has not.
        return any(
            isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError) for one in said
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False  # ValueError: what the context has for a proxy is none.
    return True
