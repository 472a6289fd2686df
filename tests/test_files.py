"""What is written appears whole or not at all, with the mode that the umask asks for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from rslib import models
from rslib.files import new_file, new_folder, remove_stale, socket_folder, write_text


def fill(path):
    with new_folder(path) as folder:
        (folder / "new").touch()


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_modes_follow_the_umask(mask, umask, tmp_path, train):
    umask(mask)
    write_text(tmp_path / "file", "new")
    models.Mean().fit(train).save(tmp_path / "model.npz")
    fill(tmp_path / "folder")
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
        "file": 0o666 & ~mask, "model.npz": 0o666 & ~mask, "folder": 0o777 & ~mask}


def test_a_folder_may_be_its_owners_alone_from_the_start(umask, tmp_path):
    with new_folder(tmp_path / "it", mode=0o700) as folder:
        assert mode(folder) == 0o700
    assert mode(tmp_path / "it") == 0o700


def test_an_error_leaves_what_was_there(tmp_path):
    path, folder = tmp_path / "file", tmp_path / "folder"
    write_text(path, "old")
    with new_folder(folder) as made:
        (made / "old").touch()
    with pytest.raises(KeyError), new_file(path) as file:
        file.write(b"half")
        raise KeyError
    with pytest.raises(KeyError), new_folder(folder) as made:
        raise KeyError
    assert path.read_text() == "old" and (folder / "old").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_an_older_folder_is_replaced_unless_told_otherwise(tmp_path):
    for name in ("a", "b"):
        with new_folder(tmp_path / "it") as folder:
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["b"]
    with pytest.raises(OSError), new_folder(tmp_path / "it", replace=False) as folder:
        (folder / "c").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["it", "b"]


def test_two_writers_of_one_target_do_not_meet(tmp_path):
    with new_file(tmp_path / "it") as one, new_file(tmp_path / "it") as other:
        one.write(b"one")
        other.write(b"another")
    assert (tmp_path / "it").read_bytes() == b"one"     # the block that ended last
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_a_long_name_has_room_for_its_temporary_one(tmp_path):
    path = tmp_path / ("ü" * 120)       # 240 bytes, of 255
    write_text(path, "")
    assert path.exists()


def test_what_a_killed_process_left_is_removed(tmp_path):
    code = ("import sys, time; from rslib.files import new_file\n"
            "with new_file(sys.argv[1]) as file: file.write(b'half'); time.sleep(3600)")
    killed = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "it")])
    try:
        wait_until(lambda: list(tmp_path.iterdir()), killed)
        write_text(tmp_path / "other", "")
        assert len(list(tmp_path.iterdir())) == 2       # a living one keeps its own
    finally:
        killed.kill()
        killed.wait()
    write_text(tmp_path / "other", "")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to tell zombies by")
def test_what_a_zombie_left_is_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    left = tmp_path / f".rslib-run.{dead.pid}.tmp"
    left.mkdir()
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)      # it has ended, and stays a zombie
    remove_stale(tmp_path)
    dead.wait()
    assert not left.exists()


def test_a_folder_of_sockets_is_its_owners_alone_and_its_path_short(umask):
    with socket_folder() as folder:
        assert mode(folder) == 0o700 and len(str(folder / "k.json-5")) < 100
    assert not folder.exists()
