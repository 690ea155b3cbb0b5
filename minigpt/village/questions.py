"""Questions about a story. Right and wrong answers all occur in it; only the state of the world tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from minigpt.village.items import Item
from minigpt.village.relations import at, colour, held, holder, spot
from minigpt.village.state import State
from minigpt.village.stories import Story, derivations


class Question(NamedTuple):
    """A question about the world at the end of a story.

    Attributes:
        kind: `"holder"`, `"held"`, `"colour"`, `"place"`, `"spot"`, `"belief"`, `"first"` or `"giver"`.
        question: one sentence.
        answer: the right answer, in the form in which the story would say it.
        wrong: one to three wrong answers, words of the same kind from the same story.
    """

    kind: str
    question: str
    answer: str
    wrong: tuple[str, ...]


def questions(story: Story) -> list[Question]:
    """Everything that can be asked about a story, in a fixed order.

    A question is asked only where the story has at least one wrong answer of the same kind, and where the answer cannot
    be had by taking, among the choices, the one that the text mentions last, first and most often at once.
    """
    derivation = derivations(story.text, story.size)[0]
    asked = [*_about_state(derivation.state), *_about_events(derivation.events, derivation.state)]
    return [question for question in asked if question.wrong and not _obvious(question, story.text)]


def _about_state(state: State) -> Iterator[Question]:
    persons = [
        item for item in state.seen if item.kind == "person" and (("at", item) in state.facts or held(state, item))
    ]
    things = [item for item in state.seen if item.kind == "thing"]
    spots, places = state.known("spot"), state.known("place")
    for thing in things:
        who = holder(state, thing)
        if who in persons:
            yield _ask("holder", f"Who has the {thing.text} at the end?", who, persons)
        if colour(state, thing) is not None:
            yield _ask("colour", f"What colour is the {thing.text}?", colour(state, thing), state.known("colour"))
        where = spot(state, thing)
        if where is not None:
            choices = spots if where.kind == "spot" else places
            yield _ask(
                "spot" if where.kind == "spot" else "place", f"Where is the {thing.text} at the end?", where, choices
            )
    for person in persons:
        if at(state, person) is not None:
            yield _ask("place", f"Where is {person.text} at the end?", at(state, person), places)
        if len(held(state, person)) == 1:
            yield _ask("held", f"What does {person.text} have at the end?", held(state, person)[0], things)
        for thing in things:
            where = state.facts.get(("belief", person, thing))
            if where is not None:
                text = f"Where did {person.text} last know the {thing.text} to be put?"
                yield _ask("belief", text, where, spots)


def _about_events(events: tuple, state: State) -> Iterator[Question]:
    first: dict[Item, Item] = {}
    gifts: dict[Item, list[tuple[Item, Item]]] = {}
    for kind, items in events:
        if kind == "have":
            first.setdefault(items[1], items[0])
        elif kind == "give":
            gifts.setdefault(items[1], []).append((items[0], items[2]))
    persons = [item for item in state.seen if item.kind == "person"]
    for thing, who in first.items():
        if thing.kind == "thing" and who in persons:
            yield _ask("first", f"Who had the {thing.text} first?", who, persons)
    for thing, given in gifts.items():
        if thing.kind == "thing" and len(given) == 1 and given[0][0] in persons:
            [(giver, taker)] = given
            choices = [person for person in persons if person is not taker]
            yield _ask("giver", f"Who gave the {thing.text} to {taker.forms['name']}?", giver, choices)


def _ask(kind: str, question: str, answer: Item, choices: list[Item]) -> Question:
    form = "in" if "in" in answer.forms else ""
    wrong = [item.forms[form] for item in choices if item is not answer]
    return Question(kind, question, answer.forms[form], tuple(dict.fromkeys(wrong))[:3])


def _obvious(question: Question, text: str) -> bool:
    def word(choice: str) -> str:
        return choice.split()[-1]

    choices = [question.answer, *question.wrong]
    rules = (lambda c: text.rfind(word(c)), lambda c: -text.find(word(c)), lambda c: text.count(word(c)))
    return all(max(choices, key=rule) == question.answer for rule in rules)
