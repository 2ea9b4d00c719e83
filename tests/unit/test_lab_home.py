from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.shutdown import down


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"FLEET_LAB": "/srv/lab", "XDG_STATE_HOME": "/state"}, Path("/srv/lab")),
        ({"XDG_STATE_HOME": "/state"}, Path("/state/fleet/lab")),
        ({}, Path.home() / ".local/state/fleet/lab"),
        ({"FLEET_LAB": "", "XDG_STATE_HOME": ""}, Path.home() / ".local/state/fleet/lab"),
        ({"FLEET_LAB": "~/my-lab"}, Path.home() / "my-lab"),
    ],
)
def test_where_the_lab_is(environ: dict[str, str], expected: Path) -> None:
    assert LabHome.from_environment(environ).root == expected


def test_a_relative_folder_is_made_absolute() -> None:
    assert LabHome.from_environment({"FLEET_LAB": "lab-1"}).root == Path.cwd() / "lab-1"


def test_only_the_user_may_enter(tmp_path: Path) -> None:
    home = LabHome(tmp_path / "deep" / "lab").create()
    for folder in (home.root, home.logs, home.pids, home.pki, home.tmp):
        assert mode(folder) == 0o700, folder


def test_creating_twice_keeps_what_is_there(tmp_path: Path) -> None:
    home = LabHome(tmp_path).create()
    (home.logs / "etcd.log").write_text("kept")
    home.create()
    assert (home.logs / "etcd.log").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match=r"file/lab can't be made: .*Set FLEET_LAB to a folder"):
        LabHome(tmp_path / "file" / "lab").create()


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LabError, match=r"holds something else already\. Set FLEET_LAB"):
        LabHome(tmp_path).create()


def test_only_a_labs_folder_is_wiped(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LabError, match="is not a lab's folder; it is left as it is"):
        down(LabHome(tmp_path), wipe=True)
    assert (tmp_path / "thesis.tex").exists()
    home = LabHome(tmp_path / "lab").create()
    assert down(home, wipe=True) == []
    assert not home.root.exists()
    assert down(home, wipe=True) == [], "nothing to do"


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    write_private(path, "secret")
    assert (path.read_text(), mode(path), mode(path.parent)) == ("secret", 0o600, 0o700)


def test_a_private_file_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path], "no half-written file is left"
