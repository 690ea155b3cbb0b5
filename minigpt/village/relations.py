"""What plots ask the state: where something is, who holds it, who is near, whom it could be about.

The grammar calls these functions by name: `{holder(T)}`, `{A:near(B)}`, or as the guard of a choice.
"""

from __future__ import annotations

from collections.abc import Callable

from minigpt.village.items import Item
from minigpt.village.state import State


def at(state: State, item: Item) -> Item | None:
    """The place where a person or thing is: a held thing moves with its holder, a stored one with its container."""
    facts = state.facts
    while True:
        carrier = facts.get(("holder", item)) or facts.get(("in", item))
        if carrier is None:
            return facts.get(("at", item))
        item = carrier


def spot(state: State, thing: Item) -> Item | None:
    """The narrowest answer to "where is it?": the container if there is one, else the place."""
    return state.facts.get(("in", thing)) or at(state, thing)


def stored(state: State, thing: Item) -> bool:
    """Whether the thing is in, on, under or behind something."""
    return ("in", thing) in state.facts


def holder(state: State, thing: Item) -> Item | None:
    """Who holds the thing."""
    return state.facts.get(("holder", thing))


def colour(state: State, thing: Item) -> Item | None:
    """The colour of the thing."""
    return state.facts.get(("colour", thing))


def belief(state: State, person: Item, thing: Item) -> Item | None:
    """The spot where the person believes the thing to be."""
    return state.facts.get(("belief", person, thing))


def people(state: State) -> list[Item]:
    """Everybody with a known whereabouts, in the order of first mention."""
    facts = state.facts
    return [item for item in state.seen if item.gender in ("m", "f") and ("at", item) in facts]


def others(state: State, person: Item) -> list[Item]:
    """Everybody but `person`."""
    return [item for item in people(state) if item is not person]


def near(state: State, person: Item) -> list[Item]:
    """Everybody else at the place where `person` is."""
    facts = state.facts
    place = facts.get(("at", person))
    return [item for item in people(state) if item is not person and facts[("at", item)] is place]


def elsewhere(state: State, person: Item) -> list[Item]:
    """Every place but the one where `person` is."""
    here = at(state, person)
    return [place for place in state.words["place"] if place is not here]


def held(state: State, person: Item) -> list[Item]:
    """What `person` holds, in the order of first mention."""
    facts = state.facts
    return [item for item in state.seen if facts.get(("holder", item)) is person]


def holders(state: State) -> list[Item]:
    """Everybody who holds something."""
    hands = {value for key, value in state.facts.items() if key[0] == "holder"}
    return [item for item in state.seen if item in hands]


def givers(state: State) -> list[Item]:
    """Everybody who holds something and has somebody near."""
    return [person for person in holders(state) if near(state, person)]


def free(state: State, person: Item) -> list[Item]:
    """Things nobody holds at the place where `person` is."""
    facts = state.facts
    place = facts.get(("at", person))
    return [
        item
        for item in state.seen
        if item.kind == "thing" and ("holder", item) not in facts and at(state, item) is place
    ]


def finders(state: State) -> list[Item]:
    """Everybody who is where a thing lies that nobody holds."""
    return [person for person in people(state) if free(state, person)]


def things(state: State) -> list[Item]:
    """Every thing with a holder, a container or a place."""
    return [item for item in state.seen if item.kind == "thing" and at(state, item) is not None]


def kept(state: State) -> list[Item]:
    """Every thing that somebody holds."""
    return [item for item in state.seen if ("holder", item) in state.facts]


def left(state: State) -> list[Item]:
    """Every thing that nobody holds."""
    return [item for item in things(state) if ("holder", item) not in state.facts]


def unmentioned(state: State) -> list[Item]:
    """The things that neither this line nor the one before speaks of."""
    return [item for item in things(state) if item not in state.before and item not in state.here]


def both(state: State, one: Item, other: Item) -> list[Item]:
    """One of two."""
    return [one, other]


def mistaken(state: State, person: Item, thing: Item) -> bool:
    """Whether the person believes the thing to be where it is not."""
    return belief(state, person, thing) is not spot(state, thing)


def right(state: State, person: Item, thing: Item) -> bool:
    """Whether the person believes the thing to be where it is."""
    return not mistaken(state, person, thing)


def nook(state: State, person: Item) -> Item | None:
    """Where somebody hides."""
    return state.facts.get(("nook", person))


def has(state: State, person: Item, thing: Item) -> bool:
    """Whether the person holds the thing."""
    return holder(state, thing) is person


def lacks(state: State, person: Item, thing: Item) -> bool:
    """Whether the person does not hold the thing."""
    return holder(state, thing) is not person


def held_one(state: State, person: Item) -> Item | None:
    """The thing that the person holds; of several, the one mentioned first."""
    return next(iter(held(state, person)), None)


def actor(state: State, part: Item) -> Item | None:
    """Who plays a part."""
    return state.facts.get(("actor", part))


def role(state: State, person: Item) -> Item | None:
    """The part that somebody plays."""
    return state.facts.get(("role", person))


def owner(state: State, mark: Item) -> Item | None:
    """Whose thing carries the mark."""
    return state.facts.get(("owner", mark))


def called(state: State, child: Item, relative: Item) -> Item:
    """What a child is to a relative: son, niece, grandson..."""
    return relative.related[child.gender]


def names_for(state: State, person: Item) -> list[Item]:
    """The names, not used yet, that somebody of this gender can have."""
    return [child for child in state.words["child"] if child.gender == person.gender and child not in state.spent]


def showable(state: State) -> list[Item]:
    """Things of a known colour that somebody holds and has not shown yet."""
    facts = state.facts
    return [item for item in kept(state) if ("colour", item) in facts and ("shown", item) not in facts]


def all_shown(state: State) -> bool:
    """Whether nothing is left to show."""
    return not showable(state)


def performer(state: State, act: Item) -> Item | None:
    """Who did it, of all that people did."""
    return state.facts.get(("performer", act))


def _amount(state: State, person: Item) -> int:
    return state.words["numeral"].index(state.facts["amount", person]) + 1


def total(state: State, one: Item, other: Item) -> Item:
    """The number of what two have gathered together."""
    return state.words["numeral"][_amount(state, one) + _amount(state, other) - 1]


def more_of(state: State, one: Item, other: Item) -> Item:
    """Who of two has gathered more."""
    return one if _amount(state, one) > _amount(state, other) else other


def fewer_of(state: State, one: Item, other: Item) -> Item:
    """Who of two has gathered less."""
    return other if _amount(state, one) > _amount(state, other) else one


def champion(state: State) -> Item | None:
    """Who is above somebody and below nobody."""
    above, below = _ranking(state)
    return next((item for item in state.seen if item in above and item not in below), None)


def underdog(state: State) -> Item | None:
    """Who is below somebody and above nobody."""
    above, below = _ranking(state)
    return next((item for item in state.seen if item in below and item not in above), None)


def unranked(state: State) -> list[Item]:
    """Everybody who has not been compared yet."""
    above, below = _ranking(state)
    return [item for item in people(state) if item not in above and item not in below]


def _ranking(state: State) -> tuple[set[Item], set[Item]]:
    pairs = [(key[1], value) for key, value in state.facts.items() if key[0] == "above"]
    return {one for one, _ in pairs}, {other for _, other in pairs}


def sellers(state: State) -> list[Item]:
    """Everybody who has something to sell."""
    return [item for item in state.seen if ("offer", item) in state.facts]


def young_ones(state: State) -> list[Item]:
    """The young animals that have been met."""
    return [item for item in state.seen if item.kind == "young"]


def winner(state: State, one: Item, other: Item) -> Item:
    """Who of two has won."""
    return one if ("won", one) in state.facts else other


def loser(state: State, one: Item, other: Item) -> Item:
    """Who of two has lost."""
    return other if ("won", one) in state.facts else one


def together(state: State, one: Item, other: Item) -> bool:
    """Whether two are at the same place."""
    return at(state, one) is at(state, other)


def _weather(state: State) -> str:
    weather = state.facts.get(("weather",))
    return weather.text if weather else ""


def wet(state: State) -> bool:
    """Whether it rains."""
    return _weather(state) in ("rainy", "stormy")


def cold(state: State) -> bool:
    """Whether there is snow or frost."""
    return _weather(state) in ("snowy", "frosty")


def bright(state: State) -> bool:
    """Whether the sun shines."""
    return _weather(state) in ("sunny", "hot")


def windy(state: State) -> bool:
    """Whether the wind blows hard."""
    return _weather(state) in ("windy", "stormy")


def foggy(state: State) -> bool:
    """Whether there is fog."""
    return _weather(state) == "foggy"


def _who(item: Item) -> bool:
    return item.gender in ("m", "f")


def _what(item: Item) -> bool:
    return item.gender == "n"


LISTS: dict[str, Callable[[Item], bool]] = {
    **dict.fromkeys(("people", "others", "near", "holders", "givers", "finders", "names_for"), _who),
    **dict.fromkeys(("unranked", "sellers"), _who),
    **dict.fromkeys(("held", "free", "things", "showable", "young_ones", "kept", "left", "unmentioned"), _what),
    "elsewhere": lambda item: item.kind == "place",
    "both": lambda item: True,
}
"""Every function that lists what a draw can be, and which items could be on such a list in some state."""
