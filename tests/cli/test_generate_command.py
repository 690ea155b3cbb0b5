"""`minigpt generate`: a model in a folder writes, and mistakes are explained."""

import json

import pytest
import torch

from minigpt.cli.values import LARGEST_SEED
from minigpt.evaluation import SEED
from minigpt.generation import Sampling, beam_search, complete
from minigpt.generation.beam import LARGEST_POWER
from minigpt.generation.processors import PENALTIES
from minigpt.models import GPT, TransformerConfig, save_model
from minigpt.tokenizers import ByteTokenizer

TOKENIZER = ByteTokenizer(["<|endoftext|>"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    config = TransformerConfig(vocab_size=257, n_layers=1, d_model=16, n_heads=2, context=64, std=0.3)
    save_model(GPT(config, generator=torch.Generator().manual_seed(0)), folder)
    TOKENIZER.save(folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def model(folder):
    from minigpt.models import load_model

    return load_model(folder)


def expected(model, prompts, n_tokens=20, **options):
    return [completion.text for completion in complete(model, TOKENIZER, prompts, n_tokens, **options)]


def test_it_continues_a_prompt(minigpt, folder, model):
    (text,) = expected(model, ["Mia"], seed=3)
    for stream in ([], ["--no-stream"]):
        result = minigpt("generate", folder, "--prompt", "Mia", "--tokens", 20, "--seed", 3, *stream)
        assert result == (0, f"Mia{text}\n".encode(), "")


def test_every_setting_reaches_the_sampler(minigpt, folder, model):
    settings = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 1.2}
    (text,) = expected(model, ["Mia"], sampling=Sampling(**settings, no_repeat_ngram=2), seed=1)
    options = [part for name, value in settings.items() for part in ("--" + name.replace("_", "-"), value)]
    result = minigpt(
        "generate", folder, "--prompt", "Mia", "--tokens", 20, "--seed", 1, "--no-repeat-ngram", 2, *options
    )
    assert result.out.decode() == f"Mia{text}\n"
    greedy = minigpt("generate", folder, "--prompt", "Mia", "--tokens", 20, "--temperature", 0).out.decode()
    assert greedy == "Mia" + expected(model, ["Mia"], sampling=Sampling(temperature=0))[0] + "\n"


def test_prompts_come_from_a_file_standard_input_or_nowhere(minigpt, folder, model, tmp_path):
    (tmp_path / "prompt.txt").write_bytes("grüß\n".encode())
    (text,) = expected(model, ["grüß\n"])
    common = ("generate", folder, "--tokens", 20)
    for result in (
        minigpt(*common, "--prompt-file", tmp_path / "prompt.txt"),
        minigpt(*common, "--prompt", "-", stdin="grüß\n".encode()),
    ):
        assert result.out.decode() == f"grüß\n{text}\n"
    assert minigpt(*common).out.decode() == expected(model, [""])[0] + "\n"


def test_several_texts_and_stop_strings_as_json_lines(minigpt, folder, model):
    stops = ["e", " "]
    texts = complete(model, TOKENIZER, ["Mia"] * 3, 40, stop=stops, seed=5)
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 40, "--samples", 3, "--seed", 5, "--stop", "e",
            "--stop", " ")  # fmt: skip
    found = [json.loads(line) for line in minigpt(*args, "--jsonl").out.decode().splitlines()]
    assert found == [{"prompt": "Mia", "text": one.text, "reason": one.reason, "ids": list(one.ids)} for one in texts]
    assert minigpt(*args).out.decode() == "---\n".join(f"Mia{one.text}\n" for one in texts)


def test_beams(minigpt, folder, model):
    found = beam_search(model, [256, *b"Mia"], 6, n_beams=4, n_best=2, end={256})
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 6, "--beams", 4, "--samples", 2, "--jsonl")
    lines = [json.loads(line) for line in minigpt(*args).out.decode().splitlines()]
    assert [line["ids"] for line in lines] == [list(one.ids) for one in found]
    assert lines[0]["text"] == TOKENIZER.decode(found[0].ids)


def test_interactive_answers_each_line(minigpt, folder, model):
    result = minigpt("generate", folder, "--interactive", "--tokens", 20, stdin=b"Mia\nBen\n")
    assert result.out.decode() == "".join(f"{expected(model, [name])[0]}\n" for name in ("Mia", "Ben"))


def test_beams_end_at_a_stop_string_with_the_ids_up_to_it(minigpt, folder, model):
    (found,) = beam_search(model, [256, *b"Mia"], 12, n_beams=3, end={256})
    stop = bytes(found.ids[4:6]).decode("latin-1")
    assert stop.isascii()
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 12, "--beams", 3, "--stop", stop, "--jsonl")
    line = json.loads(minigpt(*args).out)
    assert line["reason"] == "stop"
    assert bytes(line["ids"]).endswith(stop.encode())
    assert bytes(line["ids"]).decode(errors="replace") == line["text"] + stop
    assert len(line["ids"]) < len(found.ids)


def test_a_line_that_is_too_long_does_not_end_an_interactive_session(minigpt, folder, model):
    result = minigpt("generate", folder, "--interactive", "--tokens", 20, stdin=b"Mia\n" + b"x" * 80 + b"\nBen\n")
    assert result.status == 0
    assert result.out.decode() == "".join(f"{expected(model, [name])[0]}\n" for name in ("Mia", "Ben"))
    assert result.err.count("\n") == 1
    assert "give --overflow 'slide'" in result.err


@pytest.mark.parametrize("setting", [("--temperature", "1e-38"), ("--temperature", "1e-320"), ("--top-k", "1")])
def test_the_coldest_temperatures_take_the_likeliest_token(minigpt, folder, setting):
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 20)
    assert minigpt(*args, *setting) == minigpt(*args, "--temperature", 0)


def test_the_ranges_of_the_options_are_those_of_the_functions(minigpt, folder):
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 5)
    for low_or_high in PENALTIES:
        assert minigpt(*args, "--repetition-penalty", low_or_high).status == 0
    for power in (-LARGEST_POWER, LARGEST_POWER):
        assert minigpt(*args, "--beams", 2, f"--length-penalty={power}").status == 0
    assert 2 * LARGEST_SEED + 1 < SEED, "no story that a model is trained on is among those that it is measured on"
    assert minigpt(*args, "--seed", LARGEST_SEED).status == 0


def test_a_text_beyond_the_context(minigpt, folder):
    args = ("generate", folder, "--prompt", "Mia", "--tokens", 100, "--jsonl")
    refused = minigpt(*args)
    assert refused.status == minigpt(*args[:-1]).status == 2
    assert refused.out == minigpt(*args[:-1]).out == b""
    assert "a prompt of 4 tokens and 100 new ones do not fit into the context of 64 tokens" in refused.err
    assert len(json.loads(minigpt(*args, "--overflow", "cut").out)["ids"]) <= 61
    assert len(json.loads(minigpt(*args, "--overflow", "slide", "--seed", 1).out)["ids"]) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-1"], "--temperature: '-1' is not a number from 0"),
        (["--top-k", "0"], "--top-k: '0' is not an integer from 1"),
        (["--top-p", "2"], "'2' is not a number from 0 to 1"),
        (["--tokens", "0"], "--tokens: '0' is not an integer from 1"),
        (["--samples", "0"], "--samples: '0' is not an integer from 1"),
        (["--beams", "2", "--length-penalty", "nan"], "--length-penalty: 'nan' is not a number from -50 to 50"),
        (["--beams", "2", "--length-penalty", "400"], "--length-penalty: '400' is not a number from -50 to 50"),
        (["--repetition-penalty", "1e-40"], "--repetition-penalty: '1e-40' is not a number from 0.001 to 1000"),
        (["--seed", "9" * 23], "is not an integer from 0 to 999999999"),
        (["--beams", "2", "--temperature", "0", "--top-p", "0", "--seed", "0"], "out --temperature, --top-p, --seed"),
        (["--device", "gpu"], "--device gpu: there is no such device here; there is cpu"),
        (["--stop", ""], "hold an empty one"),
        (["--beams", "2", "--temperature", "0.5", "--seed", "1"], "leave out --temperature, --seed"),
        (["--beams", "2", "--samples", "3"], "--samples 3 needs as many --beams, not 2"),
        (["--length-penalty", "1"], "--length-penalty belongs to beam search"),
        (["--stream", "--samples", "2"], "--stream shows one text while it is written"),
        (["--prompt", "a", "--interactive"], "not allowed with argument"),
    ],
)
def test_mistakes_are_explained(minigpt, folder, arguments, message):
    result = minigpt("generate", folder, *arguments)
    assert result.status == 2
    assert result.err.count("\n") == 1
    assert result.out == b""
    assert message in result.err


def test_a_folder_that_holds_no_model(minigpt, folder, tmp_path):
    assert "there is no folder" in minigpt("generate", tmp_path / "none").err
    (tmp_path / "text.txt").write_text("a text")
    assert "is a file; give the folder of a model" in minigpt("generate", tmp_path / "text.txt").err
    assert "holds no model: " in minigpt("generate", tmp_path).err
    (tmp_path / "run.json").write_text("{}")
    assert f"Go on with 'minigpt train --out {tmp_path} --resume'" in minigpt("generate", tmp_path).err
    (tmp_path / "run.json").unlink()
    save_model(GPT(TransformerConfig(vocab_size=300, n_layers=1, d_model=4, n_heads=1)), tmp_path)
    assert "has no tokenizer.json" in minigpt("generate", tmp_path).err
    TOKENIZER.save(tmp_path / "tokenizer.json")
    assert "has 257 tokens and the model 300; they do not belong together" in minigpt("generate", tmp_path).err
