"""The town: a book of six chapters, in which children turn up again and keep what they got in earlier chapters."""

from __future__ import annotations

from minigpt.village import lexicon
from minigpt.village.grammar import Grammar, Node, one_of, paragraph, say, then
from minigpt.village.plots.home import BIRTHDAY, CAKE, HIDING, MOVED
from minigpt.village.plots.market import ERRAND, SWAPS, TWINS
from minigpt.village.plots.outdoors import BET, LOST, STORM, STRANGER
from minigpt.village.plots.rounds import CONTEST, FARM, HARVEST, SIBLINGS, SONGS, STALLS
from minigpt.village.plots.tales import PLAY, TALE
from minigpt.village.plots.village import CLASSES


def _chapter(number: str, **plots: Node) -> Node:
    return one_of(*(
        then(
            paragraph(),
            say(f"Chapter {number}: {title.replace('_', ' ')}.", do="dawn"),
            paragraph(),
            plot,
        )
        for title, plot in plots.items()
    ))  # fmt: skip


# Who shows what at the fair hangs on all that happened before.
_SHOWN = one_of(
    (1, "showable", say("{holder(T):showable} showed everybody the {colour(T)} {T}.",
                        "{holder(T):showable} had brought the {T}, the {colour(T)} one.",
                        "Among them was {holder(T):showable} with {a colour(T)} {T}.", do="show holder(T) T")),
    (1, "all_shown", say("A band played, and [the drums were loud|the trumpets shone|nobody sat still].",
                         "There were sausages and lemonade, and a man on stilts.",
                         "The mayor made a speech that nobody listened to.")),
)  # fmt: skip

FAIR = then(
    say("Once a year there is a fair {in P:outdoors}, and it was a {W:weather} {M:time}.",
        "On the last {D:weekday} of the summer, everyone met {in P:outdoors}.",
        "Then came the day of the fair. It was {in P:outdoors}."),
    say("Whoever had something beautiful was to bring it along.",
        "All the children brought their most beautiful things."),
    paragraph(),
    _SHOWN, _SHOWN, _SHOWN, _SHOWN,
    paragraph(),
    say("And at night there were fireworks, {C:colour} ones and {E:colour} ones, until the last child was asleep.",
        "They danced until the lanterns went out, and that is the end of this book.",
        "And when the fair was over, they all helped to sweep the place."),
)  # fmt: skip


TOWN = Grammar(
    "town",
    then(
        say("This is the book of a [small|very old|rather crooked] town with {N:number} [streets|towers|bridges].",
            "Not far from here there is a [small|very old|rather crooked] town, and this is its book.", do="dawn"),
        _chapter("One", Something_Is_Missing=LOST, A_Good_Bargain=SWAPS, Two_of_a_Kind=TWINS, The_Contest=CONTEST),
        _chapter("Two", The_Secret=BIRTHDAY, Hide_and_Seek=HIDING, The_Wrong_Place=MOVED,
                 The_Smell_of_Cinnamon=CAKE, A_Quarrel=SIBLINGS),
        _chapter("Three", The_Storm=STORM, The_Stranger=STRANGER, The_Harvest=HARVEST, The_Farm=FARM),
        _chapter("Four", The_Long_Way=ERRAND, The_Bet=BET, Market_Day=STALLS),
        _chapter("Five", A_Tale_by_the_Fire=TALE, The_Puppets=PLAY, An_Evening=SONGS),
        paragraph(),
        say("Chapter Six: The Fair.", do="dawn"),
        paragraph(),
        FAIR,
    ),
    CLASSES | {"toy": lexicon.TOYS + lexicon.CLOTHES},
)  # fmt: skip
