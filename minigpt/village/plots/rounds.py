"""Plots that go round: siblings, a harvest to be counted, a farm, a market, a contest, an evening of songs."""

from __future__ import annotations

from minigpt.village.grammar import maybe, one_of, paragraph, repeat, say, then
from minigpt.village.plots.common import HOME, OUTSIDE, ending

SIBLINGS = then(
    HOME,
    say("{He A} had a [little|big|twin] {brother B:child} called {B}, and they shared everything, even the measles.",
        "With {him A} was {his A} [little|big|twin] {brother B:child} {B}.", do="arrive B at(A)"),
    say("But there was only one {T:toy}, and it was {C:colour}.",
        "Between them lay {a C:colour} {T:toy}.", do="tint T C"),
    say("{X:both(A,B)} had it first, and {Y:others(X)} wanted it too.",
        "{X:both(A,B)} grabbed it. \"Mine,\" cried {Y:others(X)}.", do="have X T"),
    one_of(
        say("\"You are a [goose|donkey|turnip],\" said {X} to {his X} {brother Y}.",
            "{Y} had not been so angry with {his Y} {brother X} for a long time."),
        then(),
    ),
    paragraph(),
    say("Then their {K:kin} came in. \"What is the matter, you two?\"", "\"What is that noise?\" asked their {K:kin}.",
        do="arrive K at(A)"),
    one_of(
        then(
            say("\"{Name holder(T)} always has the {T},\" said {Y}."),
            say("\"Then give it to your {brother Y} now,\" said {name K}, and {X} gave {him Y} the {T}.",
                "{Name K} only looked at {X}, and {X} gave the {T} to {Y}.", do="give X T Y"),
        ),
        say("\"{X} had it first,\" said {name K}, \"so {X} keeps it until the clock strikes [three|four|five].\"",
            "\"First come, first served,\" said {name K}, and {X} kept the {T}."),
        say("{Name K} took the {T} away from {him X} and put it {in S:spot}. \"Now neither of you has it.\"",
            "\"Then nobody shall have it,\" said {name K}, and put it {in S:spot}.", do="give X T K; put K T S"),
    ),
    one_of(
        (1, "holder(T)", then(
            say("So {holder(T)} had the {colour(T)} {T}."),
            say("After a while it was boring alone. \"Come,\" said {holder(T)}, \"we can both play with it.\"",
                "But who can play alone? \"Let us take turns,\" said {holder(T)}."),
        )),
        (1, "stored(T)", say("They looked at the {colour(T)} {T} {in spot(T)}, then at each other, and had to laugh.",
                             "So they made a new one out of [paper|wool|an old sock], and it was even better.")),
    ),
    ending(say("\"I am glad that you are my {brother B},\" said {A}.",
               "\"I would not give you away,\" said {A} to {his A} {brother B}.",
               "A {brother B} is a good thing to have, most of the time.")),
)  # fmt: skip

HARVEST = then(
    OUTSIDE,
    say("The {plural E:fruit} were ripe. {He A} had a [basket|bag|bucket] with {him A}, and so had {B:child}.",
        "Together with {B:child} {he A} was looking for {plural E:fruit}.", do="arrive B at(A)"),
    say("{A} found {N:number} {plural E}, and {B} found {M:number}.",
        "{B} found {M:number} {plural E}, and {A} found {N:number}.",
        "After an hour, {A} had {N:number} {plural E} and {B} had {M:number}.", do="gather A N; gather B M"),
    maybe(0.4, say("The first {E} tasted of summer.", "One {E} had a worm in it, but it moved out politely.")),
    say("\"How many is that together?\" asked {X:both(A,B)}. \"{Cap total(A,B)},\" said {Y:others(X)}.",
        "They put them in a heap and counted: {total(A,B)} {plural E}."),
    paragraph(),
    one_of(
        then(
            say("\"{more_of(A,B)} has more,\" said {fewer_of(A,B)}, and that was true.",
                "{more_of(A,B)} was proud, and {fewer_of(A,B)} was not."),
            say("So {more_of(A,B)} gave {fewer_of(A,B)} one {E} to make it fairer.",
                "\"Never mind,\" said {more_of(A,B)}. \"They are for both of us.\""),
        ),
        then(
            say("Then they met the {K:trade}, and {he K} looked at the {plural E}.",
                "The {K:trade} stopped {his K} cart. \"What fine {plural E}.\""),
            say("They gave {him K} some of them, and got {product(K)} in return.",
                "\"For {total(A,B)} {plural E} I give you {product(K)},\" said the {K}, and it was done."),
        ),
    ),
    ending(
        say("At home {his A} {L:kin} baked {a F:cake} with them.",
            "{His A} {L:kin} had never seen so many {plural E}."),
    ),
)  # fmt: skip

_STALL = say(
    "{In home(D):animal} lived a {D}. It {sound D} for {food(D)}, and its {young(D)} slept in the straw.",
    "The {D:animal} {sound D} {in home(D)}. {A} gave it {food(D)}, and the {young(D)} wanted some too.",
    "Next was the {young(D):animal}, the child of the {D}. It was {in home(D)} and ate {food(D)}.",
    "\"When the {young(D):animal} grows up, it will be {a D},\" said {name K}. The {D} {sound D}.",
)  # fmt: skip

FARM = then(
    OUTSIDE,
    say("It was the day when {A} was allowed to help {his A} {K:kin} with the animals.",
        "\"The animals are hungry,\" said {his A} {K:kin}. \"Come with me, my {called(A,K)}.\"", do="arrive K at(A)"),
    paragraph(),
    repeat(_STALL, 2, 4),
    paragraph(),
    say("\"Which one do you like best?\" asked {name K}. \"The {X:young_ones},\" said {A}.",
        "In the evening {A} was so tired that {he A} fell asleep beside the {X:young_ones}."),
    one_of(
        say("And the {X}? It licked {his A} [hand|nose|ear]."),
        say("The {X} looked at {him A}, and from that day on they were friends."),
    ),
    ending(),
)  # fmt: skip

_WARES = say(
    "The {K:trade} had come from the {workplace(K)} and sold {product(K)}.",
    "There stood the {K:trade} with {his K} {product(K)}. \"Come {to workplace(K)} when you need more.\"",
    "{Cap product(K):trade} could be had from the {K}, who worked {in workplace(K)} all week.",
    "Whoever wanted {product(K):trade} had to go to the {K}.",
    do="offer K",
)  # fmt: skip

STALLS = then(
    HOME,
    say("Today was market day, and {his A} {L:kin} took {him A} along.",
        "\"It is market day,\" said {his A} {L:kin}. \"Put on your shoes, my {called(A,L)}.\""),
    paragraph(),
    repeat(_WARES, 2, 4),
    paragraph(),
    say("{A} was allowed to choose something. {He A} went to the {X:sellers} and bought {product(X)}.",
        "In the end they had {product(X):sellers} in the basket, from the {X}."),
    maybe(0.5, say("\"Thank you, my {boy A},\" said the {X}.", "The {X} gave {him A} {a E:fruit} as well.")),
    ending(maybe(0.5, say("On the way home {he A} carried the basket alone.",
                          "\"Next week again,\" said {his A} {L}."))),
)  # fmt: skip

CONTEST = then(
    OUTSIDE,
    say("{He A} had built {a T:toy}, and so had {B:child} and {D:child}.",
        "With {him A} were {B:child} and {D:child}, and each of them had {a T:toy}.",
        do="arrive B at(A); arrive D at(A)"),
    say("Whose {T} was the {most J:trait}? They wanted to know it.",
        "\"Mine is the {most J:trait},\" said all three at once."),
    paragraph(),
    say("{name's X:people} was {more J} than {name's Y:others(X)}.",
        "First they saw that {name's X:people} was {more J} than {name's Y:others(X)}.", do="above X Y"),
    one_of(
        say("But {name's Z:unranked} was {more J} than {name's X}.",
            "{name's Z:unranked} was even {more J} than {name's X}.", do="above Z X"),
        say("And {name's Y} was {more J} than {name's Z:unranked}.", do="above Y Z"),
    ),
    say("So {champion} had the {most J} {T} of all, and {underdog} came last.",
        "\"Then {name's champion} is the {most J},\" said {underdog}."),
    one_of(
        say("\"But mine is {C:colour},\" said {underdog}, and that was true.",
            "{underdog} did not mind and [laughed|whistled|ran ahead]."),
        say("{champion} swapped with {underdog} for an hour, because {he champion} had a kind heart."),
    ),
    ending(),
)  # fmt: skip

SONGS = then(
    HOME,
    say("In the evening the neighbours came, and everybody was to show what they could do.",
        "It was {his A} {K:kin}'s birthday, and all of them wanted to do something for the party."),
    paragraph(),
    say("\"I can {U:act},\" said {A}, and {he A} {past U} until the lamp shook.",
        "First {A} {past U:act}. {He A} had been {ing U} all week to be ready.", do="perform A U"),
    say("Then came {B:child} and {past O:act}, and nobody can {O} like {him B}.",
        "\"I am better at {ing O:act},\" said {B:child}, and {past O}.", do="perform B O"),
    say("{D:child} did not like to {U}, and did not like to {O}. So {he D} {past R:act}.",
        "\"Who will {R:act} with me?\" asked {D:child}, and they all {past R}."),
    paragraph(),
    say("\"Who {past Q:both(U,O)} best?\" asked a neighbour. \"{Name performer(Q)},\" said everybody.",
        "Long after that, people still spoke of how {performer(Q):both(U,O)} {past Q}."),
    ending(),
)  # fmt: skip
