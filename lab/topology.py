"""The lab's topologies: which clusters it has, and which stacks make a fleet of them."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import LabError
from lab.home import LabHome, write_private

HUB = "hub"


@dataclass(frozen=True)
class Topology:
    """What a new lab of this kind has."""

    name: str
    clusters: tuple[str, ...]
    """The hub first."""
    waves: tuple[tuple[str, ...], ...]
    """The stacks in the order they are deployed; those of one wave at the same time."""

    @property
    def stacks(self) -> tuple[str, ...]:
        """All stacks, in the order they are deployed."""
        return tuple(stack for wave in self.waves for stack in wave)

    def stack_of(self, environment: str) -> str:
        """The stack whose spokes are of this environment: one of its name, else the only one there is."""
        return environment if environment in self.stacks else self.stacks[-1]


SINGLE = Topology(
    name="single",
    clusters=(HUB, "prod-us-east-1", "prod-eu-west-1", "staging"),
    waves=(("lab",),),
)
SPLIT = Topology(
    name="split",
    clusters=(HUB, "prod-us-east-1", "prod-us-west-2", "prod-eu-west-1", "staging", "dev"),
    waves=((HUB,), ("production", "staging", "dev")),
)
TOPOLOGIES = {one.name: one for one in (SINGLE, SPLIT)}


def topology_of(home: LabHome) -> Topology:
    """The lab's topology; the single one before its first start."""
    try:
        return TOPOLOGIES[home.topology.read_text().strip()]
    except FileNotFoundError:
        return SINGLE
    except KeyError as error:
        raise LabError(f"{home.topology} names no topology: {error}") from error


def settle(home: LabHome, wanted: str | None) -> Topology:
    """Give a new lab its topology, for good, and return that of a lab that has one.

    Without ``wanted`` a lab keeps what it has. Raises :class:`LabError` for a name that is none, and where the lab
    has another topology already.
    """
    if wanted is not None and wanted not in TOPOLOGIES:
        raise LabError(f"no topology is named '{wanted}'; there are: {', '.join(TOPOLOGIES)}")
    if not home.clusters.exists() and not home.topology.exists():
        write_private(home.topology, f"{wanted or SINGLE.name}\n")
    found = topology_of(home)
    if wanted not in (None, found.name):
        raise LabError(
            f"the lab in {home.root} is of the topology '{found.name}'. For '{wanted}' start it anew after "
            "'fleet lab down --wipe', or set FLEET_LAB to another folder for a second lab."
        )
    return found
