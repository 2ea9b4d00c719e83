from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ports
from lab.errors import LabError
from lab.ports import LOWEST, PortBook, is_free


@pytest.fixture
def book(tmp_path: Path) -> PortBook:
    return PortBook(tmp_path / "ports.json")


@pytest.fixture
def held(book: PortBook) -> Iterator[int]:
    """The port of ``etcd``, on which somebody else listens."""
    port = book.get("etcd")
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_a_port_stays_the_same_also_for_the_next_run(book: PortBook, tmp_path: Path) -> None:
    port = book.get("etcd")
    assert PortBook(tmp_path / "ports.json").get("etcd") == port


def test_parts_have_ports_of_their_own(book: PortBook) -> None:
    ports = [book.get(f"part-{number}") for number in range(60)]
    assert len(set(ports)) == 60


def test_a_port_is_free_and_out_of_the_way_of_outgoing_connections(book: PortBook) -> None:
    port = book.get("etcd")
    assert is_free(port)
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    end = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else 32_768
    assert LOWEST <= port < end


def test_a_free_port_is_kept_when_the_part_starts(book: PortBook) -> None:
    assert book.settle("etcd") == book.get("etcd")


def test_a_port_that_another_process_took_is_given_up(book: PortBook, held: int) -> None:
    assert not is_free(held)
    changed = book.settle("etcd")
    assert changed != held
    assert book.get("etcd") == changed


def test_a_pinned_port_that_another_process_took_is_an_error_naming_it(
    book: PortBook, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "RELEASE_SECONDS", 0.2)
    with pytest.raises(LabError, match=rf"port {held} of etcd is held by .*\(pid {os.getpid()}\)"):
        book.settle("etcd", pinned=True)
    assert book.get("etcd") == held, "the state that names the port stays valid"


def test_a_forgotten_part_frees_its_port(book: PortBook, tmp_path: Path) -> None:
    book.get("etcd")
    book.forget("etcd")
    book.forget("never known")
    assert "etcd" not in (tmp_path / "ports.json").read_text()


def test_a_damaged_file_is_named(book: PortBook, tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    with pytest.raises(LabError, match=r"ports\.json is damaged; remove it"):
        book.get("etcd")
