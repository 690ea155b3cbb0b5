"""`minigpt evaluate`: every measure on a model in a folder, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from worlds import characters, model_for

from minigpt.cli import main
from minigpt.cli.evaluate import _around
from minigpt.evaluation import MultipleChoice, letter_prompt, perplexity
from minigpt.models import load_model, save_model
from minigpt.village import Estimate, stories

MMLU = [
    {"question": f"Is {i} even?", "subject": subject, "choices": ["yes", "no", "maybe", "never"], "answer": i % 2}
    for subject in ("arithmetic", "number_theory")
    for i in range(4)
]
SWAG = {
    "activity_label": "Kites",
    "ctx_a": "Mia has a kite.",
    "ctx_b": "she",
    "endings": ["runs.", "eats it."],
    "label": 0,
}
TELLS = "Mia has the red ball.\n<|endoftext|>\nTom has a kite.\n<|endoftext|>\n"


@pytest.fixture
def world(tmp_path):
    """A folder with a model of noise, and files to measure it on."""
    prompt = letter_prompt(MultipleChoice("Is 0123 even?", ("yes", "no", "maybe", "never"), 0, "number theory"))
    tokenizer = characters(
        TELLS, prompt, "arithmetic ABCD She eats it. Kites:", *(s.text for s in stories(60, 1, "hamlet"))
    )
    save_model(model_for(tokenizer, context=800, std=0.02).float(), tmp_path / "model")
    tokenizer.save(tmp_path / "model" / "tokenizer.json")
    (tmp_path / "text.txt").write_text(TELLS)
    for name, values in (("mmlu.jsonl", MMLU), ("swag.jsonl", [SWAG])):
        (tmp_path / name).write_text("".join(json.dumps(value) + "\n" for value in values))
    return tmp_path


@pytest.fixture
def evaluate(world, capsys):
    def run(*args):
        status = main(["evaluate", str(world / "model"), *map(str, args)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_a_text_as_json_equals_the_function(world, evaluate):
    status, out, _ = evaluate("--data", world / "text.txt", "--json")
    found = json.loads(out)["data"]
    from minigpt.tokenizers import Tokenizer

    tokenizer = Tokenizer.load(world / "model" / "tokenizer.json")
    expected = perplexity(load_model(world / "model"), tokenizer, ["Mia has the red ball.", "Tom has a kite."])
    assert status == 0
    assert found["documents"] == 2
    assert found["perplexity"] == pytest.approx(expected.perplexity)
    assert found["bits per byte"][0] == pytest.approx(expected.bits_per_byte.mean)


def test_of_fewer_than_ten_documents_no_interval_is_shown(world, evaluate):
    for n, has_interval in ((9, False), (10, True)):
        (world / "some.txt").write_text(TELLS * 5)
        found = json.loads(evaluate("--data", world / "some.txt", "--limit", n, "--json")[1])["data"]
        assert found["documents"] == n
        assert (found["loss"][1] is not None) == has_interval
        assert (found["bits per byte"][2] is not None) == has_interval


def test_what_cannot_be_negative_has_no_interval_below_0():
    assert _around(Estimate(0.1, 0.3), 12, least=0.0) == [0.1, 0.0, 0.4]
    assert _around(Estimate(0.1, 0.3), 12)[1] == pytest.approx(-0.2)


def test_questions_and_domains_as_text(world, evaluate):
    status, out, err = evaluate(
        *("--mmlu", world / "mmlu.jsonl", "--shots", "1"),
        *("--domains", f"a={world / 'text.txt'}", f"b={world / 'text.txt'}"),
    )
    assert status == 0, err
    assert "number_theory" in out
    assert "right, by letter" in out
    assert "mean bits per byte" in out
    status, out, err = evaluate("--hellaswag", world / "swag.jsonl")
    assert status == 0, err
    assert "right, likelihood a byte" in out


def test_the_village(evaluate):
    status, out, err = evaluate("--village", "hamlet", "--stories", "8", "--samples", "0", "--json")
    assert status == 0, err
    found = json.loads(out)["village"]
    assert found["loss"]["excess, share of the true entropy"][0] > 0
    assert 0.05 < found["loss"]["the same without the state"][0] < 0.4
    assert 0 <= found["probes"]["right"][0] <= 1
    assert found["endings"]["questions"] == 8
    assert found["questions"] == {"questions": 0}, "this tokenizer does not know the letters of questions"


def test_mistakes_are_named_in_one_line(world, evaluate):
    (world / "empty.txt").write_text("\n")
    (world / "bad.jsonl").write_text(json.dumps({"ctx_b": "she"}) + "\n")
    for args, message in (
        ((), "nothing to measure"),
        (("--data", "village"), "use --village village"),
        (("--domains", "text.txt"), "NAME=TEXT"),
        (("--mmlu", world / "mmlu.jsonl", "--shots", "9"), "with --shots 9 for each"),
        (("--data", world / "none.txt"), "none.txt"),
        (("--data", world / "empty.txt"), "empty.txt' holds no text"),
        (("--data", world / "text.txt", "--stride", "9000"), "--stride 9000 must be from 1"),
        (("--hellaswag", world / "bad.jsonl"), "the field 'ctx_a' is missing"),
        (("--village", "village", "--stories", "5"), "--village village: "),
        (("--data", world / "text.txt", "--seed", "9" * 23), "is not an integer from 0 to 999999999"),
    ):
        status, out, err = evaluate(*args)
        assert (status, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    (world / "model" / "tokenizer.json").unlink()
    assert "has no tokenizer.json" in evaluate("--data", world / "text.txt")[2]
