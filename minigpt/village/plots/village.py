"""The village: one plot a story, from a toy in the wrong place to the tale of a queen."""

from __future__ import annotations

from minigpt.village import lexicon
from minigpt.village.grammar import Grammar, one_of
from minigpt.village.plots.home import BIRTHDAY, CAKE, HIDING, MOVED
from minigpt.village.plots.market import ERRAND, SWAPS, TWINS
from minigpt.village.plots.outdoors import BET, LOST, STORM, STRANGER
from minigpt.village.plots.rounds import CONTEST, FARM, HARVEST, SIBLINGS, SONGS, STALLS
from minigpt.village.plots.tales import PLAY, TALE

CLASSES = {
    "child": lexicon.CHILDREN,
    "kin": lexicon.KIN,
    "stranger": lexicon.STRANGERS,
    "royal": lexicon.ROYALS,
    "heir": lexicon.HEIRS,
    "trade": lexicon.TRADES,
    "animal": lexicon.ANIMALS,
    "colour": lexicon.COLOURS,
    "toy": lexicon.TOYS,
    "treasure": lexicon.TREASURES,
    "vehicle": lexicon.VEHICLES,
    "outdoors": lexicon.OUTDOORS,
    "room": lexicon.ROOMS,
    "place": lexicon.OUTDOORS + lexicon.ROOMS,
    "spot": lexicon.SPOTS,
    "nook": lexicon.NOOKS,
    "cover": lexicon.COVERS,
    "cake": lexicon.CAKES,
    "fruit": lexicon.FRUITS,
    "number": lexicon.NUMBERS,
    "numeral": lexicon.NUMERALS,
    "verb": lexicon.VERBS,
    "act": lexicon.ACTS,
    "adjective": lexicon.ADJECTIVES,
    "trait": lexicon.TRAITS,
    "weather": lexicon.WEATHERS,
    "time": lexicon.TIMES,
    "weekday": lexicon.WEEKDAYS,
}

PLOTS = (
    MOVED, CAKE, BIRTHDAY, HIDING, SIBLINGS, SONGS,
    LOST, STORM, BET, STRANGER, HARVEST, FARM, CONTEST,
    ERRAND, SWAPS, TWINS, STALLS,
    TALE, PLAY,
)  # fmt: skip

VILLAGE = Grammar("village", one_of(*PLOTS), CLASSES)
