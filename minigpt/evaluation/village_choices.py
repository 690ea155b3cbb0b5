"""Multiple choice from the village: how a story goes on, and questions about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random

from minigpt.evaluation.multiple_choice import MultipleChoice
from minigpt.evaluation.probes import probes
from minigpt.village import Story, contradictions, questions

_SENTENCE_END = re.compile(r'[.!?]"?(?=\s|$)')


def endings(stories: Iterable[Story], *, seed: int = 0) -> list[MultipleChoice]:
    """Questions in the form of HellaSwag: the beginning of a story, and sentences with which it might go on.

    The right one is the story's. The wrong ones say it of another person, place or colour that the story has brought
    up, and contradict what the state of the world is by then, as the parser confirms. Each story with such a sentence
    gives one question: about the last of them. The `subject` is the kind of binding.

    Args:
        stories: where they are from.
        seed: decides in which order the choices come.
    """
    random = Random(seed)
    found = []
    for story in stories:
        for probe in reversed(probes(story)):
            text = story.text
            spot = len(probe.prompt) + 1
            start = max((m.end() for m in _SENTENCE_END.finditer(text, 0, spot)), default=0)
            end = _SENTENCE_END.search(text, spot + len(probe.answer))
            if not start or end is None:
                continue
            before, tail = text[start:spot].lstrip(), text[spot + len(probe.answer) : end.end()]
            wrong = [
                f"{before}{other}{tail}"
                for other in probe.wrong
                if contradictions(f"{text[:spot]}{other}{text[spot + len(probe.answer) :]}", story.size)
            ]
            if wrong:
                joint = text[start : spot - len(before)]
                found.append(
                    _shuffled(random, text[:start], f"{before}{probe.answer}{tail}", wrong[:3], probe.kind, joint)
                )
                break
    return found


def about_story(stories: Iterable[Story], *, seed: int = 0) -> list[MultipleChoice]:
    """Questions in the form of MMLU: a story and a question about it, with answers that all occur in it.

    These are those of `minigpt.village.questions`, one of each story that has any. The `subject` is the kind.

    Args:
        stories: where they are from.
        seed: decides which question is taken, and in which order the choices come.
    """
    random = Random(seed)
    found = []
    for story in stories:
        asked = questions(story)
        if asked:
            kind, question, answer, wrong = asked[int(random.random() * len(asked))]
            found.append(_shuffled(random, f"{story.text}\n\n{question}", answer, list(wrong), kind, " "))
    return found


def _shuffled(random: Random, context: str, right: str, wrong: list[str], subject: str, joint: str) -> MultipleChoice:
    # Only `random()` has a stream that Python promises to keep.
    choices = [choice for _, choice in sorted((random.random(), choice) for choice in [right, *wrong])]
    return MultipleChoice(context, tuple(choices), choices.index(right), subject, joint)
