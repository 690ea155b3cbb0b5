"""Multiple choice by letter, as MMLU asks it (Hendrycks et al., 2021): the prompt holds the choices, A to D is said."""

from __future__ import annotations

import string
from collections.abc import Sequence

from minigpt.evaluation.multiple_choice import MultipleChoice

LETTERS = string.ascii_uppercase


def letter_prompt(question: MultipleChoice, examples: Sequence[MultipleChoice] = ()) -> str:
    """The prompt, in the published format.

    A line says what the questions are about; every example is a question with lettered choices, `Answer:`, its letter
    and an empty line; the question itself stops behind `Answer:`, so that the next token is a space with a letter. (The
    script that came with the benchmark writes two spaces before the subject, a slip that harnesses leave out, as here.)

    Args:
        question: what is asked; its `subject`, if any, is named.
        examples: solved before it ("few-shot"; the paper shows five).

    Raises:
        ValueError: if there are more choices than letters.
    """
    about = f" about {question.subject.replace('_', ' ')}" if question.subject else ""
    header = f"The following are multiple choice questions (with answers){about}.\n\n"
    solved = "".join(f"{_asked(example)} {LETTERS[example.answer]}\n\n" for example in examples)
    return header + solved + _asked(question)


def by_letter(
    questions: Sequence[MultipleChoice], examples: dict[str, Sequence[MultipleChoice]] | None = None
) -> list[MultipleChoice]:
    """The same questions with the letters as choices, ready for `score_choices`.

    Args:
        questions: what is asked.
        examples: for each subject, what is solved before; by default nothing ("zero-shot").
    """
    return [
        MultipleChoice(
            letter_prompt(question, (examples or {}).get(question.subject, ())),
            tuple(LETTERS[: len(question.choices)]),
            question.answer,
            question.subject,
        )
        for question in questions
    ]


def split_examples(
    questions: Sequence[MultipleChoice], shots: int, *, all_used: bool = False
) -> tuple[dict[str, list[MultipleChoice]], list[MultipleChoice]]:
    """The first `shots` questions of each subject as examples, and all the others.

    Args:
        questions: of any subjects.
        shots: how many are taken of each, from 0.
        all_used: whether it is no mistake if none is left.

    Raises:
        ValueError: if `shots` is negative, or nothing is left to ask.
    """
    if shots < 0:
        raise ValueError(f"shots={shots} must not be negative")
    examples: dict[str, list[MultipleChoice]] = {}
    rest = []
    for question in questions:
        shown = examples.setdefault(question.subject, [])
        (shown if len(shown) < shots else rest).append(question)
    if not rest and not all_used:
        raise ValueError(f"with shots={shots} for each subject, none of {len(questions)} questions is left to ask")
    return examples, rest


def _asked(question: MultipleChoice) -> str:
    if len(question.choices) > len(LETTERS):
        raise ValueError(f"{len(question.choices)} choices are more than there are letters")
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, question.choices, strict=False)]
    return "\n".join([question.context, *lines, "Answer:"])
