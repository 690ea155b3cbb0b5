"""The training loop: against a loop by hand, and through falls of every kind."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_run import CONFIG, small_tokens, small_trainer, without_dropout

from minigpt.data.loader import Loader
from minigpt.models import GPT
from minigpt.models.folder import weights
from minigpt.training import read_record

HERE = Path(__file__).parent


def bits(trainer) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in weights(trainer.model).items()}


def test_it_makes_the_steps_of_a_plain_loop(tmp_path):
    trainer = small_trainer(tmp_path, steps=5, warmup=0, schedule="constant", weight_decay=0.1)
    without_dropout(trainer.model)
    model = without_dropout(GPT(CONFIG, generator=torch.Generator().manual_seed(0)))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.99))
    loader = Loader(small_tokens(tmp_path), batch_size=8, context=12, seed=3)
    losses = []
    for step in range(5):
        batch = loader.batch(step)
        loss = torch.nn.functional.cross_entropy(model(batch.inputs).flatten(0, 1), batch.targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    record = trainer.train()
    assert [line["loss"] for line in record.lines if "loss" in line] == pytest.approx(losses, abs=1e-5)
    for name, value in weights(model).items():
        torch.testing.assert_close(weights(trainer.model)[name], value, atol=1e-5, rtol=1e-4)


def test_a_model_learns(tmp_path):
    trainer = small_trainer(tmp_path, steps=60, lr=1e-2)
    before = trainer.evaluate()
    trainer.train()
    assert before == pytest.approx(math.log(17), abs=0.05)
    assert trainer.best < before - 0.5


def test_parts_of_a_batch_give_the_step_of_the_whole(tmp_path):
    whole = small_trainer(tmp_path, steps=1, warmup=0)
    parts = small_trainer(tmp_path, steps=1, warmup=0, accumulate=4)
    for trainer in (whole, parts):
        without_dropout(trainer.model)
        trainer.train()
    a, b = whole.record.lines[0], parts.record.lines[0]
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-6)
    assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-5)


def test_the_same_seed_gives_the_same_bits(tmp_path):
    first, second = (small_trainer(tmp_path) for _ in range(2))
    first.train()
    second.train()
    assert bits(first) == bits(second)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
@pytest.mark.parametrize("stop", [4, 7, 11])
def test_a_run_that_stopped_anywhere_ends_with_the_same_bits(tmp_path, optimizer, stop):
    whole = small_trainer(tmp_path, out=tmp_path / "whole", optimizer=optimizer)
    whole.train()
    small_trainer(tmp_path, out=tmp_path / "out", optimizer=optimizer).train(until=stop)
    torch.rand(100)
    again = small_trainer(tmp_path, out=tmp_path / "out", optimizer=optimizer, model_seed=99)
    begun = again.resume()
    assert 0 < begun <= stop
    assert stop - begun < 4
    again.train()
    assert bits(again) == bits(whole)
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    kept = [load_file(tmp_path / name / "model.safetensors") for name in ("out", "whole")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[1])


def losses(folder) -> list[tuple]:
    lines = read_record(folder / "metrics.jsonl")
    return [(line["step"], line.get("loss"), line.get("validation_loss")) for line in lines]


KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from small_run import small_trainer
trainer = small_trainer(Path({tokens!r}), out=Path({out!r}), steps=400, checkpoint_every=10, evaluate_every=50)
print(trainer.resume(), flush=True)
trainer.train()
print("done", flush=True)
"""


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path):
    whole = small_trainer(tmp_path, steps=400, checkpoint_every=10, evaluate_every=50, out=tmp_path / "whole")
    whole.train()
    code = KILLED.format(here=str(HERE), tokens=str(tmp_path), out=str(tmp_path / "out"))
    draw = torch.Generator().manual_seed(5)
    begun, reached = [], []
    for attempt in range(40):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        begun.append(int(process.stdout.readline()))
        if attempt:
            # What was in the record when it was killed is lost by no more than one interval.
            assert reached[-1] - begun[-1] <= 10
        time.sleep(0.05 + 0.6 * torch.rand(1, generator=draw).item())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        reached.append(max((line["step"] for line in read_record(tmp_path / "out" / "metrics.jsonl")), default=0))
        if "done" in rest or reached[-1] == 400:
            break
    final = small_trainer(tmp_path, steps=400, checkpoint_every=10, evaluate_every=50, out=tmp_path / "out")
    assert final.resume() > 0
    final.train()
    assert sum(step > 0 for step in begun) >= 2, f"the runs began at {begun}: none was killed in the middle"
    assert bits(final) == bits(whole)
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")


def test_a_checkpoint_that_was_cut_short_costs_one_interval(tmp_path):
    whole = small_trainer(tmp_path)
    whole.train()
    small_trainer(tmp_path, out=tmp_path / "out").train(until=9)
    path = tmp_path / "out" / "checkpoints" / "step-00000008" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    again = small_trainer(tmp_path, out=tmp_path / "out")
    assert again.resume() == 4
    again.train()
    assert bits(again) == bits(whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file sizes need a Unix")
def test_a_full_disk_ends_the_run_with_an_error_and_keeps_what_was_there(tmp_path):
    import resource

    small_trainer(tmp_path, out=tmp_path / "out").train(until=5)
    trainer = small_trainer(tmp_path, out=tmp_path / "out")
    trainer.resume()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OSError, match=r"too large|space"):
            trainer.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    whole = small_trainer(tmp_path)
    whole.train()
    again = small_trainer(tmp_path, out=tmp_path / "out")
    assert again.resume() == 4
    again.train()
    assert bits(again) == bits(whole)


def test_settings_of_another_run_are_refused(tmp_path):
    small_trainer(tmp_path, out=tmp_path / "out").train(until=5)
    with pytest.raises(ValueError, match=r"lr=0.003, not 0.01"):
        small_trainer(tmp_path, out=tmp_path / "out", lr=1e-2).resume()


def test_divergence_is_an_error_that_says_what_to_do(tmp_path):
    trainer = small_trainer(tmp_path, lr=1e30, clip=math.inf, optimizer="sgd", warmup=0)
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        trainer.train()


def test_a_diverged_run_keeps_its_last_good_checkpoint(tmp_path):
    trainer = small_trainer(tmp_path, out=tmp_path / "out", steps=20, log_every=20, checkpoint_every=2, keep=2)
    trainer.train(until=7)
    next(trainer.model.parameters()).data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="diverged"):
        trainer.train()
    again = small_trainer(tmp_path, out=tmp_path / "out", steps=20, log_every=20, checkpoint_every=2, keep=2)
    assert again.resume() == 6
    assert all(parameter.isfinite().all() for parameter in again.model.parameters())


def test_the_record_is_json_lines_with_tokens_and_time(tmp_path):
    trainer = small_trainer(tmp_path, out=tmp_path / "out")
    trainer.train()
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line]
    assert [line["step"] for line in training] == list(range(1, 13))
    assert training[-1]["tokens"] == 12 * 8 * 12
    assert [line["step"] for line in lines if "validation_loss" in line] == [4, 8, 12]


def test_half_precision_stays_near_full_precision(tmp_path):
    full, half = (small_trainer(tmp_path, precision=precision) for precision in ("float32", "bfloat16"))
    full.train()
    half.train()
    assert bits(full) != bits(half)
    assert full.best == pytest.approx(half.best, abs=0.02)


def test_the_bar_shows_loss_speed_and_use_of_the_machine(tmp_path, capsys):
    trainer = small_trainer(tmp_path)
    trainer.progress = True
    trainer.train()
    shown = capsys.readouterr().err
    for what in ("12/12", "loss=", "tokens/s=", "MFU=", "validation=", "steps/s"):
        assert what in shown


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_model_makes_the_same_steps(tmp_path, without_shape_checks):
    plain, compiled = (small_trainer(tmp_path, steps=3, compile=compile) for compile in (False, True))
    for trainer in (plain, compiled):
        without_dropout(trainer.model)
        trainer.train()
    for a, b in zip(plain.record.lines, compiled.record.lines, strict=True):
        assert a.get("loss") == pytest.approx(b.get("loss"), abs=1e-5)
        assert a.get("validation_loss") == pytest.approx(b.get("validation_loss"), abs=1e-5)


TWO = """
import os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
import torch
from minigpt.training import join_world, leave_world
from small_run import small_trainer, without_dropout
torch.set_num_threads(1)
world = join_world()
trainer = small_trainer(Path({tokens!r}), rank=world.rank, size=world.size, out=Path({out!r}))
without_dropout(trainer.model)
trainer.train()
leave_world(world)
"""


def test_two_processes_make_the_steps_of_one(tmp_path):
    one = small_trainer(tmp_path)
    without_dropout(one.model)
    one.train()
    script = tmp_path / "two.py"
    script.write_text(TWO.format(here=str(HERE), tokens=str(tmp_path), out=str(tmp_path / "out")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    found = read_record(tmp_path / "out" / "metrics.jsonl")
    for ours, theirs in zip(one.record.lines, found, strict=True):
        for name in ("loss", "validation_loss", "tokens"):
            assert ours.get(name) == pytest.approx(theirs.get(name), abs=1e-5)
