"""The words of village and town, and the families among them (`FAMILIES`)."""

from __future__ import annotations

from collections.abc import Sequence

from minigpt.village.items import Item, items, people

_GENDERED = {
    "m": {"boy": "boy", "son": "son", "brother": "brother", "man": "man", "grandson": "grandson", "nephew": "nephew"},
    "f": {"boy": "girl", "son": "daughter", "brother": "sister", "man": "woman", "grandson": "granddaughter",
          "nephew": "niece"},
}  # fmt: skip

BOYS = people("m", "Ben Emil Finn Jakob Jonas Karl Leo Luis Max Moritz Noah Oskar Paul Peter Theo Tom")
GIRLS = people("f", "Anna Clara Ella Emma Frida Greta Hanna Ida Lena Lotte Luise Mia Nora Paula Sofia Zoe")
CHILDREN = BOYS + GIRLS
for _child in CHILDREN:
    _child.forms |= _GENDERED[_child.gender]


def _kin() -> tuple[Item, ...]:
    rows = (
        "m father Father son daughter", "f mother Mother son daughter", "m uncle Uncle_Albert nephew niece",
        "m grandfather Grandfather grandson granddaughter", "f grandmother Grandmother grandson granddaughter",
        "f aunt Aunt_Rosa nephew niece",
    )  # fmt: skip
    found = []
    for row in rows:
        gender, text, name, boy, girl = row.split()
        kin = Item(text, "kin", gender, {"name": name.replace("_", " ")} | _GENDERED[gender])
        kin.related = {"m": Item(boy, "relation"), "f": Item(girl, "relation")}
        found.append(kin)
    return tuple(found)


KIN = _kin()

STRANGERS = (
    Item("man", "stranger", "m", {"name": "the man"} | _GENDERED["m"]),
    Item("woman", "stranger", "f", {"name": "the woman"} | _GENDERED["f"]),
)
ROYALS = (
    Item("king", "royal", "m", {"name": "the king"} | _GENDERED["m"]),
    Item("queen", "royal", "f", {"name": "the queen"} | _GENDERED["f"]),
)
HEIRS = (
    Item("prince", "heir", "m", {"name": "the prince"} | _GENDERED["m"]),
    Item("princess", "heir", "f", {"name": "the princess"} | _GENDERED["f"]),
)

COLOURS = items("colour", "red blue green yellow white black brown pink orange purple grey golden")
TOYS = items(
    "thing",
    "ball kite drum boat top whistle flute doll hoop rope puppet train lantern bell marble mask flag spade balloon",
    gender="n",
)
CLOTHES = items("thing", "hat scarf coat cap ribbon jacket mitten apron cape", gender="n")
TREASURES = items(
    "thing", "ring key shell button coin locket feather medal brooch compass stone thimble comb watch", gender="n"
)
VEHICLES = items("thing", "barrow sledge wagon handcart trolley pram", gender="n")

_PLACES = (
    "in garden", "in yard", "at market", "on hill", "by river", "in wood", "in meadow", "at harbour", "in orchard",
    "in square", "by pond", "on bridge", "in park", "by well", "in field", "at station", "on beach", "in churchyard",
)  # fmt: skip
_ROOMS = ("in kitchen", "in attic", "in cellar", "in parlour", "in hall", "in nursery", "in bedroom", "in library")


def _places(rows: tuple[str, ...]) -> tuple[Item, ...]:
    split = [row.split(" ", 1) for row in rows]
    return tuple(
        Item(text, "place", forms={"in": f"{where} the {text}", "to": f"to the {text}", "into": f"into the {text}"})
        for where, text in split
    )


OUTDOORS = _places(_PLACES)
ROOMS = _places(_ROOMS)

_SPOTS = (
    "in basket", "in box", "under bed", "on shelf", "behind door", "in drawer", "in cupboard", "under table",
    "behind curtain", "in chest", "under pillow", "in wardrobe", "behind stove", "in bucket", "under rug", "in jug",
    "on windowsill", "in trunk", "behind clock",
)  # fmt: skip


_NOOKS = (
    "behind big armchair", "under sofa", "inside old clock", "behind piano", "under stairs", "in laundry basket",
    "behind coats", "under blanket", "behind bookcase", "in corner",
)  # fmt: skip
_COVERS = (
    "behind wall", "in hollow tree", "under cart", "in hay", "behind hedge", "under bush", "in ditch",
    "behind woodpile", "in rowing boat", "under tree roots", "behind rocks", "in reeds",
)  # fmt: skip


def _spots(rows: tuple[str, ...]) -> tuple[Item, ...]:
    split = [row.split(" ", 1) for row in rows]
    return tuple(Item(text, "spot", forms={"in": f"{where} the {text}"}) for where, text in split)


SPOTS = _spots(_SPOTS)
NOOKS = _spots(_NOOKS)
COVERS = _spots(_COVERS)


def _trades() -> tuple[Item, ...]:
    rows = (
        "f baker bread bakery rolling_pin", "m miller flour mill ladder", "f carpenter chairs workshop saw",
        "m tailor coats tailor's_shop needle", "f blacksmith nails forge hammer", "m potter pots pottery sponge",
        "f farmer milk farm bucket", "m fisherman fish harbour net", "f beekeeper honey beehives pipe",
        "m shoemaker shoes shoemaker's_shop awl", "f weaver cloth weaving_room shuttle",
        "m florist roses flower_shop scissors",
        "f printer posters printing_house ink_pot", "m toymaker puppets toy_shop paintbrush",
        "f clockmaker clocks clock_shop magnifying_glass",
        "m candlemaker candles candle_shop pincers", "f grocer apples grocery scale", "m dairyman cheese dairy ladle",
        "f painter pictures studio brush", "m basketmaker baskets basket_shop knife",
    )  # fmt: skip
    found = []
    for row in rows:
        gender, text, product, workplace, tool = (part.replace("_", " ") for part in row.split())
        trade = Item(text, "trade", gender, {"name": f"the {text}"} | _GENDERED[gender])
        where = "by" if workplace == "beehives" else "at"
        forms = {"in": f"{where} the {workplace}", "to": f"to the {workplace}"}
        trade.related = {
            "product": Item(product, "product"),
            "workplace": Item(workplace, "place", forms=forms),
            "tool": Item(tool, "tool"),
        }
        found.append(trade)
    return tuple(found)


TRADES = _trades()


def _animals() -> tuple[Item, ...]:
    rows = (
        "dog puppy barked kennel bones", "cat kitten meowed basket milk", "hen chick clucked henhouse corn",
        "cow calf mooed barn clover", "sheep lamb bleated fold hay", "horse foal neighed stable oats",
        "goat kid bleated shed cabbage", "pig piglet grunted sty turnips", "duck duckling quacked pond bread_crumbs",
        "goose gosling hissed pen grain", "pigeon squab cooed dovecote peas", "turkey poult gobbled coop seeds",
        "rabbit bunny squeaked hutch carrots", "swan cygnet whistled nest reeds",
    )  # fmt: skip
    found = []
    for row in rows:
        text, young, sound, home, food = (part.replace("_", " ") for part in row.split())
        animal = Item(text, "animal", "n", {"sound": sound})
        forms = {"in": f"in the {home}", "to": f"to the {home}"}
        animal.related = {
            "young": Item(young, "young", "n"),
            "home": Item(home, "home", forms=forms),
            "food": Item(food, "food"),
        }
        found.append(animal)
    return tuple(found)


ANIMALS = tuple(animal for animal in _animals())

CAKES = items(
    "cake", "apple_pie honey_cake plum_tart cherry_cake nut_loaf pear_tart carrot_cake cheesecake berry_pie lemon_cake",
    gender="n",
)  # fmt: skip


def _pairs(kind: str, form: str, rows: str) -> tuple[Item, ...]:
    split = [row.split("/") for row in rows.split()]
    return tuple(Item(base.replace("_", " "), kind, forms={form: other.replace("_", " ")}) for base, other in split)


FRUITS = _pairs(
    "fruit",
    "plural",
    "apple/apples pear/pears plum/plums cherry/cherries nut/nuts egg/eggs cookie/cookies turnip/turnips peach/peaches "
    "strawberry/strawberries potato/potatoes onion/onions bun/buns mushroom/mushrooms chestnut/chestnuts",
)
NUMERALS = items(
    "number",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four",
)
NUMBERS = NUMERALS[1:12]


_VERBS = (
    "sing sang singing", "dance danced dancing", "paint painted painting", "read read reading",
    "swim swam swimming", "climb climbed climbing", "skip skipped skipping", "whistle whistled whistling",
    "draw drew drawing",
    "knit knitted knitting", "cook cooked cooking", "dig dug digging", "run ran running", "sew sewed sewing",
    "carve carved carving", "juggle juggled juggling", "write wrote writing", "row rowed rowing",
    "ride rode riding", "hum hummed humming",
)  # fmt: skip


def _verbs(rows: Sequence[str]) -> tuple[Item, ...]:
    split = [row.split() for row in rows]
    return tuple(Item(base, "verb", forms={"past": past, "ing": ing}) for base, past, ing in split)


VERBS = _verbs(_VERBS)
ACTS = tuple(verb for verb in VERBS if verb.text in ("sing", "dance", "whistle", "hum", "juggle", "skip"))


def _adjectives() -> tuple[Item, ...]:
    rows = (
        "big bigger biggest", "long longer longest", "heavy heavier heaviest", "round rounder roundest",
        "shiny shinier shiniest", "smooth smoother smoothest", "fat fatter fattest", "light lighter lightest",
    )  # fmt: skip
    split = [row.split() for row in rows]
    return tuple(Item(base, "adjective", forms={"more": more, "most": most}) for base, more, most in split)


ADJECTIVES = _adjectives()
TRAITS = tuple(adjective for adjective in ADJECTIVES if adjective.text in ("big", "heavy", "shiny", "light"))


def _weathers() -> tuple[Item, ...]:
    rows = (
        "sunny sun",
        "rainy rain",
        "windy wind",
        "foggy fog",
        "snowy snow",
        "stormy storm",
        "frosty frost",
        "hot heat",
    )
    split = [row.split() for row in rows]
    return tuple(Item(text, "weather", forms={"noun": noun}) for text, noun in split)


WEATHERS = _weathers()
TIMES = items("time", "morning afternoon day")
WEEKDAYS = items("weekday", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday")


def _family(items: Sequence[Item], relation: str) -> tuple[tuple[str, str], ...]:
    return tuple((item.text, item.related[relation].text) for item in items)


def _forms(items: Sequence[Item], form: str) -> tuple[tuple[str, str], ...]:
    return tuple((item.text, item.forms[form]) for item in items)


FAMILIES: dict[str, tuple[tuple[str, str], ...]] = {
    "woman": (
        ("man", "woman"), ("boy", "girl"), ("king", "queen"), ("prince", "princess"), ("father", "mother"),
        ("son", "daughter"), ("brother", "sister"), ("uncle", "aunt"), ("grandfather", "grandmother"),
        ("grandson", "granddaughter"), ("nephew", "niece"), ("he", "she"),
    ),
    "product": _family(TRADES, "product"),
    "workplace": _family(TRADES, "workplace"),
    "young": _family(ANIMALS, "young"),
    "plural": _forms(FRUITS, "plural"),
    "past": _forms(VERBS, "past"),
    "ing": _forms(VERBS, "ing"),
    "comparative": _forms(ADJECTIVES, "more"),
    "superlative": _forms(ADJECTIVES, "most"),
}  # fmt: skip
"""Pairs of words in the same relation, by the name of what the second word is to the first."""
