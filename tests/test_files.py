"""A file is replaced whole or not at all."""

import os
import signal
import subprocess
import sys

import pytest

from minigpt.files import atomic_write


def test_the_new_content_takes_the_place_of_the_old(tmp_path):
    target = tmp_path / "story.txt"
    target.write_text("old", encoding="utf-8")
    with atomic_write(target) as file:
        file.write("new\r\nlines\n")
        assert target.read_text(encoding="utf-8") == "old"
    assert target.read_bytes() == b"new\r\nlines\n"
    assert [p.name for p in tmp_path.iterdir()] == ["story.txt"]


def _write_half(file, error):
    file.write("half")
    raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_remains(tmp_path, error):
    target = tmp_path / "story.txt"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(error), atomic_write(target) as file:
        _write_half(file, error)
    assert target.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["story.txt"]


def test_bytes_are_written_as_they_are(tmp_path):
    with atomic_write(tmp_path / "ids.bin", "wb") as file:
        file.write(bytes(range(256)))
    assert (tmp_path / "ids.bin").read_bytes() == bytes(range(256))


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    with open(tmp_path / "ordinary", "w"), atomic_write(tmp_path / "atomic") as file:
        file.write("x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    (tmp_path / "atomic").chmod(0o600)
    with atomic_write(tmp_path / "atomic") as file:
        file.write("y")
    assert (tmp_path / "atomic").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_process_leaves_the_old_file(tmp_path):
    target = tmp_path / "story.txt"
    target.write_text("old", encoding="utf-8")
    code = (
        "import sys, time\nfrom minigpt.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write('half'); file.flush(); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert target.read_text(encoding="utf-8") == "old"


def test_a_missing_folder_and_a_wrong_mode_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_write(tmp_path / "nowhere" / "x"):
        pass
    with pytest.raises(ValueError, match="mode='a'"), atomic_write(tmp_path / "x", "a"):
        pass
