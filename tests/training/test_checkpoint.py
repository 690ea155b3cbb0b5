"""Checkpoints: whole or not there, whatever happens to the process or the disk."""

import json

import pytest
import torch

from minigpt.training.checkpoint import MODEL, STATE, TENSORS, Checkpoint, latest, load_checkpoint, save_checkpoint


def checkpoint(step: int) -> Checkpoint:
    state = {
        "optimizer": {"state": {0: {"mean": torch.full((2,), float(step)), "step": torch.tensor(3.0)}}, "groups": [1]},
        "best": None,
        "pair": [torch.arange(3), "text"],
    }
    return Checkpoint(step, {"weight": torch.full((2, 3), float(step))}, state)


def test_everything_comes_back_with_its_keys_types_and_bits(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint(7))
    again = load_checkpoint(path)
    assert again.step == 7
    assert torch.equal(again.weights["weight"], torch.full((2, 3), 7.0))
    state = again.state["optimizer"]["state"][0]
    assert state["mean"].tolist() == [7, 7]
    assert state["step"].shape == ()
    assert again.state["best"] is None
    assert again.state["pair"][0].dtype == torch.int64
    assert again.state["pair"][1] == "text"


def test_only_the_last_ones_stay(tmp_path):
    for step in (10, 20, 100, 30):
        save_checkpoint(tmp_path, checkpoint(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000030", "step-00000100"]


@pytest.mark.parametrize("name", [MODEL, TENSORS, STATE])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, name, damage):
    save_checkpoint(tmp_path, checkpoint(10))
    path = save_checkpoint(tmp_path, checkpoint(20)) / name
    data = path.read_bytes()
    if damage == "truncate":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        # A digit of the JSON file, so that it stays JSON; a byte of a number in the others.
        place = data.index(b"20,") if name == STATE else len(data) - 3
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    else:
        path.unlink()
    with pytest.raises(ValueError, match="step-00000020"):
        load_checkpoint(path.parent)
    assert latest(tmp_path).step == 10


def test_a_full_disk_costs_nothing_but_the_new_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, checkpoint(10))

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(tmp_path, checkpoint(20))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]
    assert latest(tmp_path).step == 10


def test_what_a_killed_process_left_behind_is_neither_read_nor_in_the_way(tmp_path):
    save_checkpoint(tmp_path, checkpoint(10))
    part = tmp_path / ".step-00000020.part"
    part.mkdir()
    (part / MODEL).write_bytes(b"half")
    assert latest(tmp_path).step == 10
    save_checkpoint(tmp_path, checkpoint(20))
    assert latest(tmp_path).step == 20
    assert not part.exists()


def test_a_checkpoint_of_a_later_version_says_so(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint(10)) / STATE
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(ValueError, match="version 2"):
        load_checkpoint(path.parent)


def test_an_empty_folder_has_none(tmp_path):
    assert latest(tmp_path) is None
    assert latest(tmp_path / "missing") is None


def test_state_is_readable_without_this_package(tmp_path):
    header = json.loads((save_checkpoint(tmp_path, checkpoint(5)) / STATE).read_text())
    assert header["step"] == 5
