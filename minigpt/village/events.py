"""What can happen in the village: each kind of event with what it requires and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minigpt.village import preconditions
from minigpt.village.items import Item
from minigpt.village.relations import held_one
from minigpt.village.state import State


class Event(NamedTuple):
    """Something that happened, such as `Event("give", ("Mia", "ball", "Tom"))`."""

    kind: str
    args: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.args)})"


class Kind(NamedTuple):
    """One kind of event.

    Attributes:
        check: `(state, *items)` to the reason why it cannot happen now, or `None`.
        apply: `(state, *items)` makes it happen.
    """

    check: Callable[..., str | None]
    apply: Callable[..., None]


KINDS: dict[str, Kind] = {}


def _kind(check: Callable[..., str | None]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(apply: Callable[..., None]) -> Callable[..., None]:
        KINDS[apply.__name__] = Kind(check, apply)
        return apply

    return register


@_kind(preconditions.not_elsewhere)
def arrive(state: State, person: Item, place: Item) -> None:
    """The story finds somebody at a place."""
    state.facts["at", person] = place


@_kind(preconditions.away_from)
def go(state: State, person: Item, place: Item) -> None:
    """Somebody goes from one place to another."""
    state.facts["at", person] = place


@_kind(preconditions.new_holder)
def have(state: State, person: Item, thing: Item) -> None:
    """The story finds a thing in somebody's hands."""
    state.facts["holder", thing] = person


@_kind(preconditions.unheld)
def lie(state: State, thing: Item, place: Item) -> None:
    """The story finds a thing lying at a place."""
    state.facts["at", thing] = place


@_kind(preconditions.colour_unknown)
def tint(state: State, thing: Item, colour: Item) -> None:
    """The story tells the colour of a thing."""
    state.facts["colour", thing] = colour


@_kind(preconditions.has)
def paint(state: State, person: Item, thing: Item, colour: Item) -> None:
    """Somebody gives a thing in their hands another colour."""
    state.facts["colour", thing] = colour


@_kind(preconditions.can_give)
def give(state: State, person: Item, thing: Item, other: Item) -> None:
    """A thing passes from one hand to another."""
    state.facts["holder", thing] = other


@_kind(preconditions.can_take)
def take(state: State, person: Item, thing: Item) -> None:
    """Somebody picks up a thing that nobody holds."""
    state.facts.pop(("at", thing), None)
    state.facts.pop(("in", thing), None)
    state.facts["holder", thing] = person


@_kind(preconditions.has)
def leave(state: State, person: Item, thing: Item) -> None:
    """Somebody puts a thing down where they are."""
    state.facts.pop(("holder", thing), None)
    state.facts["at", thing] = state.facts.get(("at", person))


@_kind(preconditions.always)
def sky(state: State, weather: Item) -> None:
    """The story tells the weather."""
    state.facts["weather",] = weather


@_kind(preconditions.can_put)
def put(state: State, person: Item, thing: Item, spot: Item) -> None:
    """Somebody puts a thing in, on, under or behind something; whoever is there knows it from then on."""
    facts = state.facts
    place = facts.get(("at", person))
    facts.pop(("holder", thing), None)
    facts.pop(("at", thing), None)
    facts["in", thing] = spot
    facts["at", spot] = place
    for item in list(state.seen):
        if item.gender in ("m", "f") and facts.get(("at", item)) is place:
            facts["belief", item, thing] = spot


@_kind(preconditions.believes)
def look(state: State, person: Item, thing: Item, spot: Item) -> None:
    """Somebody looks for a thing where they believe it to be."""


@_kind(preconditions.can_take)
def find(state: State, person: Item, thing: Item) -> None:
    """Somebody finds a thing and takes it."""
    take(state, person, thing)


@_kind(preconditions.new_holder)
def lose(state: State, person: Item, thing: Item) -> None:
    """A thing is gone, and nobody knows where it is."""
    state.facts.pop(("holder", thing), None)


@_kind(preconditions.uneaten)
def eat(state: State, food: Item) -> None:
    """Something is eaten up."""
    state.facts["eaten", food] = food
    state.facts.pop(("holder", food), None)


@_kind(preconditions.always)
def creep(state: State, person: Item, spot: Item) -> None:
    """Somebody hides in, under or behind something."""
    state.facts["nook", person] = spot


@_kind(preconditions.is_hidden)
def uncover(state: State, person: Item, other: Item) -> None:
    """Somebody finds somebody who hides."""
    state.facts.pop(("nook", other), None)


@_kind(preconditions.always)
def own(state: State, person: Item, mark: Item) -> None:
    """The thing with this mark (its colour, say) belongs to somebody."""
    state.facts["owner", mark] = person


@_kind(preconditions.can_swap)
def swap(state: State, one: Item, other: Item) -> None:
    """Two exchange what they hold."""
    ours, theirs = held_one(state, one), held_one(state, other)
    for person, thing in ((other, ours), (one, theirs)):
        if thing is not None:
            state.facts["holder", thing] = person


@_kind(preconditions.always)
def play(state: State, person: Item, part: Item) -> None:
    """Somebody takes a part in a play."""
    state.facts["actor", part] = person
    state.facts["role", person] = part


@_kind(preconditions.has)
def show(state: State, person: Item, thing: Item) -> None:
    """Somebody shows a thing around."""
    state.facts["shown", thing] = thing


@_kind(preconditions.always)
def dawn(state: State) -> None:
    """A new day: people keep their things, and may be anywhere; the rest is forgotten."""
    facts = state.facts
    held = {key[1]: who for key, who in facts.items() if key[0] == "holder" and who.kind == "person"}
    tints = {thing: facts.get(("colour", thing)) for thing in held}
    facts.clear()
    for thing, who in held.items():
        facts["holder", thing] = who
        if tints[thing] is not None:
            facts["colour", thing] = tints[thing]
    state.spent = {item for item in state.spent if item.kind == "thing"}


@_kind(preconditions.always)
def gather(state: State, person: Item, number: Item) -> None:
    """Somebody gathers so many."""
    state.facts["amount", person] = number


@_kind(preconditions.always)
def above(state: State, person: Item, other: Item) -> None:
    """Somebody's thing beats another's."""
    state.facts["above", person] = other


@_kind(preconditions.always)
def offer(state: State, seller: Item) -> None:
    """Somebody has something to sell."""
    state.facts["offer", seller] = seller


@_kind(preconditions.always)
def perform(state: State, person: Item, act: Item) -> None:
    """Somebody shows what they can do."""
    state.facts["performer", act] = person


@_kind(preconditions.always)
def win(state: State, person: Item) -> None:
    """Somebody wins."""
    state.facts["won", person] = person


@_kind(preconditions.always)
def promise(state: State, person: Item, other: Item) -> None:
    """Somebody promises somebody something."""
    state.facts["promise", person] = other


@_kind(preconditions.has_promised)
def keep(state: State, person: Item, other: Item) -> None:
    """Somebody keeps a promise."""
    state.facts.pop(("promise", person), None)
