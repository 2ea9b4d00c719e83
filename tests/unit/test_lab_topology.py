from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab import clusters
from lab.context import CHECKOUT
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.topology import SINGLE, SPLIT, TOPOLOGIES, Topology, settle, topology_of


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome(tmp_path / "lab").create()


@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=lambda one: one.name)
def test_the_stack_files_of_a_topology_use_exactly_its_clusters(topology: Topology) -> None:
    named = set()
    for stack in topology.stacks:
        config = yaml.safe_load((CHECKOUT / "examples" / f"Pulumi.{stack}.yaml").read_text())
        fleet = config["config"]
        named.add(fleet["fleet:hub"]["context"])
        named |= {one.get("context", one["name"]) for one in fleet.get("fleet:spokes", [])}
        assert list(config) == ["config"], "no salt of a published passphrase"
    assert named == set(topology.clusters)


def test_a_new_lab_is_single_unless_asked(home: LabHome) -> None:
    assert settle(home, None) is SINGLE
    assert clusters.cluster_names(home) == list(SINGLE.clusters)


def test_a_lab_remembers_its_topology(home: LabHome) -> None:
    assert settle(home, "split") is SPLIT
    assert settle(home, None) is SPLIT
    assert settle(home, "split") is SPLIT
    assert topology_of(home) is SPLIT
    assert clusters.cluster_names(home) == list(SPLIT.clusters)


@pytest.mark.parametrize(("first", "then"), [("split", "single"), ("single", "split")])
def test_a_started_lab_is_not_switched(home: LabHome, first: str, then: str) -> None:
    settle(home, first)
    with pytest.raises(LabError, match=f"of the topology '{first}'.*fleet lab down --wipe"):
        settle(home, then)
    assert topology_of(home).name == first


def test_a_lab_from_before_topologies_is_single(home: LabHome) -> None:
    write_private(home.clusters, '["hub", "staging"]')
    with pytest.raises(LabError, match="of the topology 'single'"):
        settle(home, "split")
    assert settle(home, None) is SINGLE


def test_a_name_that_is_none_is_refused_before_anything_is_written(home: LabHome) -> None:
    with pytest.raises(LabError, match=r"named 'spilt'; there are: single, split"):
        settle(home, "spilt")
    assert not home.topology.exists()


def test_the_stack_of_an_environment() -> None:
    assert SINGLE.stack_of("production") == "lab"
    assert SPLIT.stack_of("production") == "production"
