"""`minigpt train`: from a text to a model that writes."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from minigpt.cli.model import find_device
from minigpt.cli.values import as_typed, count, count_from_one, from_zero, positive, seed, share


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand `train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a language model on a text",
        description="Train a language model. With nothing but a text it takes five minutes. A run that was stopped, by "
        "whatever, goes on with --resume and ends with the same weights as if it had not been.",
        epilog="Several processes: torchrun --nproc-per-node 2 -m minigpt train ...",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the run and of the model")
    parser.add_argument("--data", metavar="TEXT", help="a file, or a corpus: hamlet, village, town, python-docs, ...")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR, with its settings")
    parser.add_argument("--preset", help="tiny (default), small, gpt-2 or another published GPT")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, metavar="M", help="time for everything (default: 5)")
    length.add_argument("--steps", type=count_from_one, metavar="N", help="number of steps")
    parser.add_argument("--tokenizer", metavar="KIND", help="bpe (default; for stories of the village: word), char, "
                        "byte, word, or a file that 'minigpt tokenizer train' wrote")  # fmt: skip
    parser.add_argument("--vocab-size", type=count_from_one, metavar="N", help="tokens of a new BPE vocabulary")
    parser.add_argument(
        "--context",
        type=count_from_one,
        metavar="T",
        help="longest sequence in tokens (default: the preset's). Of the village, "
        "how far the loss is above the true entropy is known only where every story fits",
    )
    parser.add_argument(
        "--batch-size", type=count_from_one, metavar="B", help="sequences in a batch (default: 16 or 32)"
    )
    parser.add_argument("--validation", type=share, metavar="SHARE", help="of the text, at most 0.5 (default: 0.1)")
    parser.add_argument("--seed", type=seed, metavar="N", help="an integer from 0 (default: 0)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest there is)")
    some = parser.add_argument_group("training", "What is left out follows from the preset.")
    some.add_argument("--optimizer", choices=("adamw", "muon", "sgd"), help="Muon is for matrices, beside AdamW")
    some.add_argument("--lr", type=positive, metavar="R", help="largest learning rate of AdamW or SGD")
    some.add_argument("--muon-lr", type=positive, metavar="R", help="largest learning rate of Muon")
    some.add_argument("--schedule", choices=("cosine", "linear", "wsd", "constant"), help="how the rate falls")
    some.add_argument("--warmup", type=count, metavar="N", help="steps in which the learning rate rises")
    some.add_argument("--weight-decay", type=from_zero, metavar="W", help="share of a matrix taken off, times the rate")
    some.add_argument("--clip", type=positive, metavar="C", help="largest norm of the gradient")
    some.add_argument("--z-loss", type=from_zero, metavar="Z", help="weight of the squared log-normaliser in the loss")
    some.add_argument("--accumulate", type=count_from_one, metavar="N", help="parts of a batch, to save memory")
    some.add_argument("--precision", choices=("float32", "bfloat16"), help="(default: what is measured to be faster)")
    some.add_argument("--compile", action="store_true", default=None, help="torch.compile the model first")
    some.add_argument("--dropout", type=share, metavar="P", help="share of values that is set to zero")
    some.add_argument("--evaluate-every", type=count_from_one, metavar="N", help="steps (default: a tenth of all)")
    some.add_argument("--checkpoint-every", type=count_from_one, metavar="N", help="steps (default: a tenth of all)")
    # What is left out is None, so that --resume can tell what was given; RunSettings has the defaults.
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prepare or find the run, train, and say what came out."""
    import torch

    from minigpt.training import Run, RunSettings, join_world, leave_world

    if not args.resume and args.data is None:
        raise ValueError("--data is missing: a text file, or a corpus such as hamlet or python-docs")
    if args.out.is_file():
        raise ValueError(f"--out {args.out} is a file; give a folder, which is made if it is not there")
    device = find_device(args.device)
    world = join_world(device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", world.rank % torch.cuda.device_count())
    say = (lambda text: _say(as_typed(text, _SETTINGS + _TRAINING))) if world.is_first else (lambda text: None)
    try:
        if args.resume:
            found = Run.open(args.out, device=device, world=world)
            _check_same(args, found.values["settings"])
            say(f"going on after step {found.trainer.step} of {found.trainer.config.steps}")
        else:
            length = {} if args.steps is not None else {"minutes": 5.0 if args.minutes is None else args.minutes}
            chosen = _given(args, *_SETTINGS) | length
            settings = RunSettings(**chosen, model=_given(args, "dropout"), training=_given(args, *_TRAINING))
            found = Run.new(args.out, settings, device=device, world=world, say=say)
        found.trainer.train()
        if world.is_first:
            _report(found)
    finally:
        leave_world(world)
    return 0


_SETTINGS = (
    "data",
    "preset",
    "tokenizer",
    "vocab_size",
    "steps",
    "minutes",
    "context",
    "batch_size",
    "validation",
    "seed",
)
_TRAINING = (
    *("optimizer", "lr", "muon_lr", "schedule", "warmup", "weight_decay", "clip", "z_loss", "accumulate"),
    *("precision", "compile", "evaluate_every", "checkpoint_every"),
)


def _given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _check_same(args: argparse.Namespace, settings: dict[str, Any]) -> None:
    # The whole line that began the run may be given again, but no other setting.
    began = settings | settings["model"] | settings["training"]
    given = _given(args, *_SETTINGS, "dropout", *_TRAINING)
    changed = [name for name, value in given.items() if began.get(name) != value]
    if changed:
        raise ValueError(
            "a run goes on with the settings that it began with; leave out "
            + ", ".join("--" + name.replace("_", "-") for name in changed)
        )


def _report(found: Any) -> None:
    trainer, folder = found.trainer, found.folder
    steps = f"{trainer.step:,} step{'' if trainer.step == 1 else 's'}"
    _say(f"{steps}, {trainer.tokens:,} tokens in {trainer.seconds:.0f} s")
    line = f"validation loss {trainer.best:.4f} nats a token"
    if (floor := found.values["floor"]) is not None:
        line += f", {trainer.best / floor - 1:.1%} above the true entropy, {floor:.4f}"
    _say(line)
    _say(f"the model is in {folder}; let it write with: minigpt generate {shlex.quote(str(folder))}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
