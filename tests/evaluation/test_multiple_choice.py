"""Multiple choice: by likelihood and by letter, whatever the order of the choices and wherever a token crosses."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from worlds import END, by_hand, characters, model_for, pairs, words

from minigpt.evaluation import (
    WAYS,
    ChoiceScores,
    MultipleChoice,
    accuracies,
    by_letter,
    letter_prompt,
    score_choices,
    split_examples,
)
from minigpt.evaluation.letters import LETTERS

QUESTION = MultipleChoice("Tom saw", ("a kite", "the red ball in it", "it", "the garden"), 1)
CAPITALS = [
    MultipleChoice("Which colour has the sky?", ("red", "blue", "green", "pink"), 1, "outdoor_physics"),
    MultipleChoice("What has a string?", ("a kite", "a ball", "a cup", "a hat"), 0, "outdoor_physics"),
    MultipleChoice("Which flies?", ("a cup", "a hat", "a kite", "a shoe"), 2, "outdoor_physics"),
]
TOKENIZER = pairs()
MODEL = model_for(TOKENIZER, context=200)


def of_whole(model, tokenizer, text):
    return math.fsum(by_hand(model, [tokenizer.special_tokens[END], *tokenizer.encode(text)]))


@pytest.mark.parametrize("tokenizer", [characters(), pairs()], ids=["char", "bpe"])
def test_differences_are_those_of_the_whole_texts(tokenizer):
    model = model_for(tokenizer, context=64)
    (scores,) = score_choices(model, tokenizer, [QUESTION])
    wholes = [of_whole(model, tokenizer, f"Tom saw {choice}") for choice in QUESTION.choices]
    for i in range(4):
        assert scores.log_probs[i] - scores.log_probs[0] == pytest.approx(wholes[i] - wholes[0])


def test_a_choice_is_scored_behind_its_context():
    tokenizer = characters()
    model = model_for(tokenizer)
    (scores,) = score_choices(model, tokenizer, [QUESTION])
    context = of_whole(model, tokenizer, "Tom saw")
    for choice, log_prob, tokens, size in zip(
        QUESTION.choices, scores.log_probs, scores.tokens, scores.bytes, strict=True
    ):
        assert log_prob == pytest.approx(of_whole(model, tokenizer, f"Tom saw {choice}") - context)
        assert (tokens, size) == (1 + len(choice), len(choice))


def test_a_token_across_the_border_belongs_to_the_choice():
    # Without a space between them, "kit" and "e" make one token of the vocabulary, and "kit" alone makes others.
    tokenizer = pairs()
    question = MultipleChoice("saw a ki", ("te", "ng", "d"), 0, joint="")
    context, whole = tokenizer.encode("saw a ki"), tokenizer.encode("saw a kite")
    assert whole[: len(context)] != context, "the vocabulary no longer has the token that this test needs"
    model = model_for(tokenizer, context=64)
    (scores,) = score_choices(model, tokenizer, [question])
    wholes = [of_whole(model, tokenizer, f"saw a ki{choice}") for choice in question.choices]
    assert scores.log_probs[0] - scores.log_probs[1] == pytest.approx(wholes[0] - wholes[1])
    assert scores.log_probs[2] - scores.log_probs[1] == pytest.approx(wholes[2] - wholes[1])


def test_a_space_at_the_end_of_the_context_changes_nothing():
    with_space = MultipleChoice("Tom saw ", QUESTION.choices, 1, joint="")
    scores = score_choices(MODEL, TOKENIZER, [QUESTION, with_space])
    assert scores[0] == scores[1]


def test_ways_divide_by_tokens_and_bytes(without_shape_checks):
    scores = ChoiceScores((-4.0, -6.0, -5.0), (2, 6, 2), (8, 9, 2))
    assert scores.best("total") == (0,)
    assert scores.best("per_token") == (1,)
    assert scores.best("per_byte") == (0,)
    assert scores.values("per_byte") == pytest.approx((-0.5, -2 / 3, -2.5))
    with pytest.raises(ValueError, match="per_word"):
        scores.best("per_word")


def test_the_order_of_the_choices_does_not_matter():
    orders = list(permutations(range(4)))
    asked = [
        MultipleChoice(QUESTION.context, tuple(QUESTION.choices[i] for i in order), order.index(1)) for order in orders
    ]
    scores = score_choices(MODEL, TOKENIZER, asked)
    for order, score in zip(orders, scores, strict=True):
        for place, i in enumerate(order):
            assert score.log_probs[place] == pytest.approx(scores[0].log_probs[i])
    for accuracy in accuracies(asked, scores).values():
        assert len(set(accuracy.credits)) == 1


def test_a_tie_counts_as_a_guess_wherever_the_answer_stands():
    for answer, credit in ((0, 0.5), (1, 0), (2, 0.5)):
        twice = MultipleChoice("Tom saw", ("a kite", "the red ball, the blue kite", "a kite"), answer)
        (score,) = score_choices(MODEL, TOKENIZER, [twice])
        if score.best("total") == (0, 2):
            assert score.credit(answer, "total") == credit
    assert ChoiceScores((-1.0, -1.0, -1.0), (1, 1, 1), (1, 1, 1)).credit(1, "total") == pytest.approx(1 / 3)


def test_a_uniform_model_prefers_short_choices_unless_lengths_are_taken_out():
    model = model_for(TOKENIZER, context=64, std=0)
    questions = [QUESTION, MultipleChoice("Tom saw", ("it", "the red ball in it"), 0)]
    found = accuracies(questions, score_choices(model, TOKENIZER, questions))
    assert found["total"].credits == (0, 1)
    assert found["per_token"].credits == pytest.approx((1 / 4, 1 / 2))
    assert found["total"].chance == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert found["total"].interval.estimate == 0.5
    assert found["total"].bootstrap(seed=0).low == 0


def test_a_long_context_loses_its_beginning_for_every_choice_alike():
    tokenizer = characters()
    model = model_for(tokenizer, context=22)
    (score,) = score_choices(model, tokenizer, [QUESTION])
    assert score.is_cut
    longest = [tokenizer.special_tokens[END], *tokenizer.encode("Tom saw the red ball in it")]
    left_out = len(longest) - 23
    for choice, value in zip(QUESTION.choices, score.log_probs, strict=True):
        ids = [tokenizer.special_tokens[END], *tokenizer.encode(f"Tom saw {choice}")][left_out:]
        assert value == pytest.approx(math.fsum(by_hand(model, ids)[-1 - len(choice) :]))
    with pytest.raises(ValueError, match="question 0 is longer than the context"):
        score_choices(model_for(tokenizer, context=18), tokenizer, [QUESTION])


def test_examples_stand_before_the_question():
    shown = QUESTION.after([CAPITALS[1], CAPITALS[2]])
    assert shown.context == "What has a string? a kite\n\nWhich flies? a kite\n\nTom saw"
    assert shown.choices == QUESTION.choices


def test_the_prompt_of_mmlu():
    assert letter_prompt(CAPITALS[0], [CAPITALS[2]]) == (
        "The following are multiple choice questions (with answers) about outdoor physics.\n\n"
        "Which flies?\nA. a cup\nB. a hat\nC. a kite\nD. a shoe\nAnswer: C\n\n"
        "Which colour has the sky?\nA. red\nB. blue\nC. green\nD. pink\nAnswer:"
    )


def test_by_letter_is_the_next_token():
    tokenizer = characters(letter_prompt(CAPITALS[0]) + LETTERS[:4])
    model = model_for(tokenizer, context=200)
    (asked,) = by_letter(CAPITALS[:1])
    (score,) = score_choices(model, tokenizer, [asked])
    ids = [tokenizer.special_tokens[END], *tokenizer.encode(letter_prompt(CAPITALS[0]) + " ")]
    with torch.no_grad():
        logits = model(torch.tensor([ids]))[0, -1]
    letters = [tokenizer.encode(letter)[0] for letter in "ABCD"]
    assert score.best("total") == (int(logits[letters].argmax()),)
    assert torch.tensor(score.log_probs).softmax(0).tolist() == pytest.approx(logits[letters].softmax(0).tolist())


def test_examples_are_taken_from_each_subject():
    other = MultipleChoice("Is it so?", ("yes", "no"), 0, "logic")
    examples, rest = split_examples([*CAPITALS, other, other], 1)
    assert examples == {"outdoor_physics": CAPITALS[:1], "logic": [other]}
    assert rest == [*CAPITALS[1:], other]
    asked = by_letter(rest, examples)
    assert asked[0].context.count("Answer:") == 2
    assert asked[0].choices == ("A", "B", "C", "D")
    with pytest.raises(ValueError, match="none of 5 questions is left"):
        split_examples([*CAPITALS, other, other], 3)


def test_words_that_the_tokenizer_does_not_know_are_counted():
    tokenizer = words()
    questions = [
        MultipleChoice("Mia was", ("in the garden", "at the mill"), 0),
        MultipleChoice("Mia was", ("in Paris", "in Rome"), 0),
    ]
    scores = score_choices(model_for(tokenizer), tokenizer, questions)
    assert [score.is_exact for score in scores] == [True, False]
    assert accuracies(questions, scores)["total"].n_inexact == 1
    assert accuracies(questions, scores)["total"].credits[1] == 0.5


def test_what_is_no_question_is_refused():
    for choices, answer in (((), 0), (("a",), 0), (("a", ""), 0), (("a", "b"), 2), (("a", "b"), -1)):
        with pytest.raises(ValueError, match="choices"):
            MultipleChoice("x", choices, answer)
    with pytest.raises(ValueError, match="1 questions and 0 scores"):
        accuracies([QUESTION], [])
    assert set(WAYS) == {"total", "per_token", "per_byte"}
