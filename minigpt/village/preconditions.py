"""What events require: each function says why something cannot happen now, or returns `None`."""

from __future__ import annotations

from minigpt.village.items import Item
from minigpt.village.relations import at, held_one
from minigpt.village.state import State


def always(state: State, *items: Item) -> None:
    """Nothing is required."""
    return None


def colour_unknown(state: State, thing: Item, colour: Item) -> str | None:
    """Nothing else is known of the colour."""
    known = state.facts.get(("colour", thing), colour)
    return None if known is colour else f"the {thing.text} is {known.text}, not {colour.text}"


def has(state: State, person: Item, thing: Item, *rest: Item) -> str | None:
    """The person holds the thing."""
    hands = state.facts.get(("holder", thing))
    if hands is person:
        return None
    return f"{person.forms['name']} does not have the {thing.text}" + (
        f": {hands.forms['name']} has it" if hands else ""
    )


def away_from(state: State, person: Item, place: Item) -> str | None:
    """The person is somewhere else."""
    return f"{person.forms['name']} is {place.forms['in']} already" if at(state, person) is place else None


def together(state: State, one: Item, other: Item) -> str | None:
    """Both are at the same place."""
    here, there = at(state, one), at(state, other)
    if here is there:
        return None
    where = [place.forms["in"] if place else "nowhere in particular" for place in (here, there)]
    return f"{one.forms['name']} is {where[0]} and {other.forms['name']} is {where[1]}"


def can_give(state: State, person: Item, thing: Item, other: Item) -> str | None:
    """The giver holds the thing and is where the taker is."""
    return has(state, person, thing) or together(state, person, other)


def can_take(state: State, person: Item, thing: Item) -> str | None:
    """Nobody holds the thing, and the person is where it is."""
    hands = state.facts.get(("holder", thing))
    return f"{hands.forms['name']} has the {thing.text}" if hands else together(state, person, thing)


def unheld(state: State, thing: Item, *rest: Item) -> str | None:
    """Nobody holds the thing."""
    hands = state.facts.get(("holder", thing))
    return f"{hands.forms['name']} has the {thing.text}" if hands else None


def not_elsewhere(state: State, person: Item, place: Item) -> str | None:
    """The person is not known to be at another place."""
    known = at(state, person)
    return None if known in (None, place) else f"{person.forms['name']} is {known.forms['in']}"


def new_holder(state: State, person: Item, thing: Item) -> str | None:
    """Nobody else holds the thing."""
    hands = state.facts.get(("holder", thing))
    return f"{hands.forms['name']} has the {thing.text}" if hands not in (None, person) else None


def can_put(state: State, person: Item, thing: Item, spot: Item) -> str | None:
    """The person holds the thing, or is where it lies."""
    hands = state.facts.get(("holder", thing))
    if hands not in (None, person):
        return f"{hands.forms['name']} has the {thing.text}"
    return together(state, person, thing)


def believes(state: State, person: Item, thing: Item, spot: Item) -> str | None:
    """The person believes the thing to be there."""
    known = state.facts.get(("belief", person, thing))
    if known is spot:
        return None
    idea = f"believes the {thing.text} to be {known.forms['in']}" if known else f"has no idea where the {thing.text} is"
    return f"{person.forms['name']} {idea}"


def uneaten(state: State, food: Item) -> str | None:
    """The food is still there."""
    return f"the {food.text} is eaten" if ("eaten", food) in state.facts else None


def has_promised(state: State, person: Item, other: Item) -> str | None:
    """The person has promised something to the other."""
    if state.facts.get(("promise", person)) is other:
        return None
    return f"{person.forms['name']} has promised {other.forms['name']} nothing"


def is_hidden(state: State, person: Item, other: Item) -> str | None:
    """The other hides."""
    return None if ("nook", other) in state.facts else f"{other.forms['name']} does not hide"


def can_swap(state: State, one: Item, other: Item) -> str | None:
    """Both hold something, and they are at the same place."""
    for person in (one, other):
        if held_one(state, person) is None:
            return f"{person.forms['name']} has nothing to swap"
    return together(state, one, other)
