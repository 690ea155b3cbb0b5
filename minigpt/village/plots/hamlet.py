"""The hamlet: two children, two or three coloured things and a few events, in fewer than 200 word forms."""

from __future__ import annotations

from minigpt.village.grammar import Grammar, maybe, one_of, repeat, say, then
from minigpt.village.items import Item, items, people

CHILDREN = people("m", "Ben Finn Jonas Leo Max Oskar Paul Tom") + people("f", "Anna Clara Emma Ida Lena Mia Nora Zoe")
COLOURS = items("colour", "red blue green yellow white black brown pink")
THINGS = items("thing", "ball cup kite hat drum boat book bell lamp shell", gender="n")
PLACES = tuple(
    Item(text, "place", forms={"in": f"{preposition} the {text}", "to": f"to the {text}"})
    for preposition, text in (
        pair.split()
        for pair in ("in garden", "in kitchen", "in barn", "at mill", "at market", "on hill", "by river", "in wood")
    )
)
TIMES = items("time", "morning afternoon evening day")

OPENING = then(
    say("One {M:time}, {A:child} and {B:child} were {in P:place}.",
        "{A:child} and {B:child} were {in P:place} one {M:time}.",
        do="arrive A P; arrive B P"),
    one_of(
        say("{A} had {a C:colour} {T:thing}, and {B} had {a D:colour} {U:thing}.",
            "There {A} had {a C:colour} {T:thing} and {B} had {a D:colour} {U:thing}.",
            do="have A T; tint T C; have B U; tint U D"),
        say("{B} had {a C:colour} {T:thing}, and {A} had {a D:colour} {U:thing}.",
            "There {B} had {a C:colour} {T:thing} and {A} had {a D:colour} {U:thing}.",
            do="have B T; tint T C; have A U; tint U D"),
    ),
    maybe(0.3, say("{A E:colour} {V:thing} lay on the ground.", "They saw {a E:colour} {V:thing} on the ground.",
                   do="tint V E; lie V P")),
)  # fmt: skip

STEP = one_of(
    (4, say("{X:people} went {to Q:elsewhere(X)}.", "Then {X:people} went {to Q:elsewhere(X)}.",
            "{X:people} ran {to Q:elsewhere(X)}.", do="go X Q")),
    (3, "givers", say("{X:givers} gave the {colour(T):held(X)} {T} to {Y:near(X)}.",
                      "Then {X:givers} gave {Y:near(X)} the {colour(T):held(X)} {T}.", do="give X T Y")),
    (3, "finders", say("{X:finders} picked up the {colour(T):free(X)} {T}.",
                       "{X:finders} saw the {colour(T):free(X)} {T} and took it.", do="take X T")),
    (2, "holders", say("{X:holders} put down the {colour(T):held(X)} {T}.",
                       "{X:holders} left the {colour(T):held(X)} {T} {in at(X)}.", do="leave X T")),
    (1, "holders", say("{X:holders} painted the {T:held(X)} {C:colour}.", do="paint X T C")),
)  # fmt: skip

ENDING = then(
    say("At last the {colour(T):things} {T} was {in at(T)}.", "In the end, the {colour(T):things} {T} was {in at(T)}."),
    one_of(
        (2, "kept", say("{holder(T):kept} had the {T}.", "The {T:kept} was with {holder(T)}.")),
        (1, "unmentioned", say("The {T:unmentioned} was {colour(T)}.", "And the {T:unmentioned} was {colour(T)}.")),
        (1, say("{X:people} was {in at(X)}.", "And {X:people} was {in at(X)}.")),
    ),
    say("It was a good day.", "Then it was time to sleep.", "Everyone was happy."),
)  # fmt: skip

HAMLET = Grammar(
    "hamlet",
    then(OPENING, repeat(STEP, 3, 5), ENDING),
    {"child": CHILDREN, "colour": COLOURS, "thing": THINGS, "place": PLACES, "time": TIMES},
)
