"""What many plots share: how a story opens, what the weather does to people, and how a story ends."""

from __future__ import annotations

from minigpt.village.grammar import Node, maybe, one_of, paragraph, say, then

WEATHER = one_of(
    (3, then()),
    (4, "wet", say("Rain [dripped|ran|splashed] from every roof, so {he A} had put on {his A} [tall boots|raincoat].",
                   "The gutters gurgled, and {he A} jumped over every puddle.",
                   "It was so wet that even the ducks looked for shelter.")),
    (4, "cold", say("{He A} wore two pairs of gloves, because the air [bit|nipped|stung].",
                    "There was ice on the bucket, and {he A} could see {his A} own breath.",
                    "{His A} boots crunched with every step.")),
    (4, "bright", say("The sun was so warm that {he A} walked barefoot.",
                      "Not a cloud was in the sky, and the bees hummed.",
                      "{He A} squinted, because everything glittered in the light.")),
    (4, "windy", say("The wind tugged at {his A} hair, and the shutters rattled.",
                     "{He A} had to hold {his A} cap with both hands.",
                     "Leaves chased each other round the corners.")),
    (4, "foggy", say("{He A} could hardly see {his A} own shoes.",
                     "Somewhere a bell rang, but the tower had vanished in the grey.",
                     "Every tree looked like somebody waiting.")),
)  # fmt: skip

OUTSIDE = then(
    one_of(
        say("One {W:weather} {M:time}, {A:child} was {in P:outdoors}.",
            "On a {W:weather} {M:time}, {A:child} was {in P:outdoors}.",
            "It was a {W:weather} {D:weekday}, and {A:child} was {in P:outdoors}.",
            "{A:child} was {in P:outdoors} one {W:weather} {M:time}.", do="sky W; arrive A P"),
        then(
            say("There was once a [little|cheerful|clever|curious|quiet|bold] {boy A:child} called {A}, "
                "who [liked|loved] {ing V:verb} more than anything else.",
                "In our village lived a [little|cheerful|clever|curious|quiet|bold] {boy A:child} called {A}. "
                "{He A} could {V:verb} better than anybody else in the village."),
            say("One {W:weather} {M:time}, {he A} was {in P:outdoors}.",
                "It was a {W:weather} {M:time}, and {he A} was {in P:outdoors}.",
                "One {W:weather} {D:weekday}, {he A} was {in P:outdoors}.", do="sky W; arrive A P"),
        ),
    ),
    WEATHER,
)  # fmt: skip

HOME = one_of(
    then(
        say("It was a {W:weather} {M:time}.", "It was {D:weekday}, and a {W:weather} one.",
            "What a {W:weather} {D:weekday} it was.", do="sky W"),
        say("{A:child} sat {in P:room} and [did not know what to do|looked out of the window|listened to the clock].",
            "{A:child} had stayed at home and was {in P:room}.", do="arrive A P"),
    ),
    then(
        say("There was once a [little|cheerful|clever|curious|quiet|bold] {boy A:child} called {A}, "
            "who [liked|loved] {ing V:verb} more than anything else.",
            "In our village lived a [little|cheerful|clever|curious|quiet|bold] {boy A:child} called {A}. "
            "{He A} could {V:verb} better than anybody else in the street."),
        say("One {M:time}, {he A} was {in P:room}.", "On {D:weekday}, {he A} was {in P:room}.", do="arrive A P"),
    ),
)  # fmt: skip

NIGHT = one_of(
    say("That night, {A} slept like a [stone|bear|log|baby].",
        "And when the stars came out, {A} was asleep already.",
        "At supper, {A} told the whole story, and then told it again.",
        "In bed, {A} thought about it for a long time and smiled.",
        "When the lamp was out, {A} whispered: \"Tomorrow will be just as good.\"",
        "It was late, and the owls were calling, when {A} fell asleep.",
        "The moon looked in at {his A} window and found {him A} fast asleep."),
    say("Whoever does not believe it may go and ask.",
        "A cricket sang in the grass, and then everything was still.",
        "Even the oldest people could not remember such a day.",
        "And that was the end of a good day.", "So everything turned out well.",
        "From then on, people in the village liked to tell this story.",
        "And if nobody has forgotten it, they are still laughing today.",
        "Nobody in the village went to bed unhappy that night."),
)  # fmt: skip


def ending(*lines: Node) -> Node:
    """The last paragraph of a plot: its own lines, perhaps, and a good night."""
    return then(paragraph(), *lines, maybe(0.7, NIGHT))
