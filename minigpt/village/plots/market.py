"""Plots among the tradespeople: an errand, a chain of swaps, two things that look alike."""

from __future__ import annotations

from minigpt.village.grammar import maybe, one_of, paragraph, say, then
from minigpt.village.plots.common import HOME, OUTSIDE, ending

ERRAND = then(
    HOME,
    say("\"We have no {product(K):trade} left,\" said {his A} {L:kin}. \"Will you go to the {K}, my {called(A,L)}?\"",
        "\"Please fetch some {product(K):trade} from the {K},\" said {his A} {L:kin}. \"Be quick, my {called(A,L)}.\""),
    say("\"Of course,\" said {A}, and took {a C:colour} {T:vehicle}, because it was far.",
        "\"I am going already,\" said {A}. {He A} took the old {T:vehicle}, the {C:colour} one.",
        do="have A T; tint T C"),
    paragraph(),
    one_of(
        then(
            say("On the way {he A} met {B:child}. \"Where are you going?\" "
                "\"{To workplace(K)},\" said {A}. \"Come with me.\"",
                "{In Q:outdoors} sat {B:child} and was bored. \"Come with me {to workplace(K)},\" said {A}.",
                do="arrive B workplace(K)"),
            maybe(0.5, say("They ran a race, and {X:both(A,B)} was [faster|first].",
                           "They took turns pulling the {T}.")),
        ),
        say("On the way {he A} said it over and over, so that {he A} would not forget: "
            "\"{Cap product(K)}, {product(K)}, {product(K)}.\"",
            "It was a long way, and {A} {past V:act} in order not to be afraid."),
    ),
    say("It was warm {in workplace(K)}, and the {K} was busy.",
        "The {K} stood {in workplace(K)} with {his K} {tool(K)}.",
        "{In workplace(K)} they found nobody but the {K}.", do="go A workplace(K); arrive K workplace(K)"),
    one_of(
        then(
            say("\"Some {product(K)}, please,\" said {A}. But the shelves were empty.",
                "\"Today I cannot make any {product(K)},\" said the {K}. \"My {tool(K)} is gone.\""),
            say("{He A} helped {him K} look, and found the {tool(K)} {in S:spot}.",
                "Together they looked for the {tool(K)}. It was {in S:spot}, of all places."),
            say("Then the {K} went to work, and {A} was allowed to help.",
                "In less than an hour the {product(K)} lay in front of {him A}."),
        ),
        say("\"Take as much as you can carry,\" said the {K}, and filled the {T} to the brim.",
            "\"For you, the best {product(K)} that I have,\" said the {K}."),
    ),
    say("{A} loaded everything on the {colour(T)} {T} and went home.",
        "With the {colour(T)} {T} full of {product(K)}, {A} went home again.", do="go A P"),
    paragraph(),
    one_of(
        then(
            say("But on the way a wheel came off, and the {T} [tipped over|fell into the ditch]."),
            say("Luckily the {M:trade} came along and knew what to do.",
                "The {M:trade} happened to pass by and lent {him A} a [rope|nail|hammer]."),
        ),
        say("The {T} [squeaked|rattled|creaked] all the way.", "{A} was [tired|thirsty|hungry], but also proud."),
    ),
    say("\"You are a great help, my {called(A,L)},\" said {his A} {L}.",
        "{His A} {L} was so pleased that {he A} got {N:number} {plural E:fruit}."),
    ending(maybe(0.4, say("Ever since, {A} has wanted to be a {K}.",
                          "When {A} grows up, {he A} wants to work {in workplace(K)}."))),
)  # fmt: skip

SWAPS = then(
    OUTSIDE,
    say("{He A} had {a C:colour} {T:toy}, but {he A} was tired of it.",
        "{A} had played with {his A} {C:colour} {T:toy} all week and wanted something new.", do="have A T; tint T C"),
    say("{B:child} came by with {a D:colour} {U:toy}.", "Then {he A} saw {B:child}, who had {a D:colour} {U:toy}.",
        do="arrive B at(A); have B U; tint U D"),
    one_of(
            say("\"Shall we swap?\" asked {X:both(A,B)}. So {A} got the {U}, and {B} got the {T}.",
                "\"I will give you mine for yours,\" said {X:both(A,B)}, and they swapped.",
                do="give A T B; give B U A"),
        say("\"Shall we swap?\" asked {X:both(A,B)}. But {O:others(X)} did not want to."),
    ),
    paragraph(),
    say("Not long after, {E:child} sat down beside them and unpacked {a F:colour} {V:toy}.",
        "Next came {E:child}, who held up {a F:colour} {V:toy} for all to see.",
        do="arrive E at(A); have E V; tint V F"),
    say("{Y:both(A,B)} wanted it at once. \"The {colour(held_one(Y))} {held_one(Y)} for the {V}?\" asked {Y}.",
        "\"Take my {held_one(Y):both(A,B)},\" said {Y}, \"and let me have the {colour(V)} {V}.\""),
    one_of(
        say("{E} thought about it and nodded. So {E} had the {held_one(Y)} now, and {Y} the {V}.",
            "\"Done,\" said {E}, and they swapped too.", do="swap Y E"),
        say("\"No,\" said {E}, \"but you may play with it until [noon|supper|tomorrow].\"",
            "{E} shook {his E} head and kept it.", do="arrive E at(Y)"),
    ),
    paragraph(),
    say("Then it was time to go home. {Z:people} took the {held_one(Z)}, the {colour(held_one(Z))} one, and ran.",
        "In the end, {Z:people} went home with {a colour(held_one(Z))} {held_one(Z)}."),
    say("And {O:others(Z)} had the {held_one(O)}.",
        "The {colour(held_one(O)):others(Z)} {held_one(O)} went home with {O}."),
    ending(
        one_of(
            (1, say("\"What did you do today?\" asked {A}'s {K:kin}. \"Business,\" said {A}.")),
            (2, "lacks(A,T)", say("\"Where is your {T}?\" asked {A}'s {K:kin}. \"{holder(T)} has it,\" said {A}.")),
        ),
    ),
)  # fmt: skip

TWINS = then(
    OUTSIDE,
    say("{B:child} was there as well, and each of them had {a N:toy}. {A}'s was {C:colour}, and {B}'s was {D:colour}.",
        "{A} and {B:child} were building something: {a C:colour} {N:toy} for {A} and {a D:colour} {N} for {B}.",
        do="arrive B at(A); own A C; own B D"),
    say("A gust of wind came and carried both of them off.",
        "They put them down for a moment to look at a [snail|beetle|lizard], and forgot them."),
    paragraph(),
    say("Later the {K:trade} came {to workplace(K)} with something under {his K} arm. It was the {X:both(C,D)} {N}.",
        "{In workplace(K):trade} the {K} found something in front of the door, the {X:both(C,D)} {N}."),
    say("\"Whose is it?\" asked the {K}. \"It must be {name's owner(X)},\" said {Y:others(owner(X))}.",
        "{Y:others(owner(X))} saw it and called, \"The {X} one is {name's owner(X)}.\""),
    say("So {owner(X)} had it back, and the {K} got a [kiss|flower|song] for it.",
        "{owner(X)} thanked the {K} [three times|politely|with all {his owner(X)} heart]."),
    one_of(
        say("The other one hung in a tree {in Q:outdoors}, and a ladder had to be found.",
            "The other one was {in S:cover}, and nobody ever learned how it got there."),
    ),
    ending(say("Now the {C} {N} and the {D} one stand side by side on the shelf.",
               "Since then there is a name on the {C} {N} and one on the {D} one too.")),
)  # fmt: skip
