"""Times as rules: days, parts of the day and the clock, and where they stand in a clause.

English says *half past six* and German *halb sieben*: half of the seventh hour.
"""

from __future__ import annotations

from itertools import product

from minigpt.village.translation import lexicon
from minigpt.village.translation.notation import rule
from minigpt.village.translation.phrases import Rules, rows


def hours() -> Rules:
    """Times on the clock, for each part of the day; half past six is *halb sieben*."""
    made: Rules = {}
    for part, range_ in lexicon.CLOCK.items():
        numbers = [lexicon.HOURS[hour - 1].split() for hour in range_]
        following = [lexicon.HOURS[hour % 12].split()[1] for hour in range_]
        made[f"hour/{part}"] = tuple(
            rule(english, {"": german, "next": after})
            for (english, german), after in zip(numbers, following, strict=True)
        )
        ways = (
            ("at {H}", "um {H}", 3),
            ("at half past {H}", "um halb {H.next}", 3),
            ("at ten past {H}", "um zehn nach {H}", 0.5),
            ("at ten to {H}", "um zehn vor {H}", 0.5),
            ("at a quarter past {H}", "um Viertel nach {H}", 1),
            ("at a quarter to {H}", "um Viertel vor {H}", 1),
        )
        clock = [rule(*way, slots=f"H=hour/{part}", weight=weight) for *way, weight in ways]
        made[f"clock/{part}"] = tuple(clock)
        made[f"brief/{part}"] = tuple(clock[:4])
    return made


def days() -> Rules:
    """Days and parts of the day: of habits (*morgens*) and of plans (*morgen*), by when one does a thing."""
    made: Rules = {}
    for when in ("any", "morning", "evening"):
        for kind, listed, week in (
            ("habit", lexicon.HABITS, ("on {}s", "{}s")),
            ("plan", lexicon.PLANS, ("on {}", "am {}")),
        ):
            named = [(*row, 1.0) for row in rows(listed) if when == "any" or row[2] in ("any", when)]
            for english, german in rows(lexicon.WEEKDAYS):
                german = german.lower() if kind == "habit" else german
                named.append((week[0].format(english), week[1].format(german), "any", 0.25))
            made[f"day/{kind}/{when}"] = tuple(
                rule(english.replace("_", " "), german.replace("_", " "), weight=weight,
                     part=when if part == "any" else part)
                for english, german, part, weight in named
            )  # fmt: skip
    return made


def times() -> Rules:
    """When: `time/habit/main/full/any` and so on.

    The pieces of the name say whether it is a habit or a plan; whether the clause is a main one, where a time can stand
    in front; whether there can be a day and the clock (`full`), a day or the clock (`one`), or only a day; and when one
    does such a thing. `short-` before the last asks for a time that is not empty.
    """
    made: Rules = {}
    empty = {"front": "", "back": "", "day": "", "clock": ""}
    for kind, where, length, least, when in product(
        ("habit", "plan"),
        ("main", "inner"),
        ("full", "one", "day"),
        ("", "short-"),
        ("any", "morning", "evening", "day", "none"),
    ):
        part = when if when in ("morning", "evening") else "any"
        day, hour = f"D=day/{kind}/{part}", f"K=clock/{part}"
        # Weight, whether it stands in front or at the back, English parts, German parts, slots.
        ways = [(1, "back", {}, {}, "")] if not least or when == "none" else []
        clock = length != "day" and when not in ("day", "none")
        if when != "none":
            ways.append((2, "back", {"back": "{D}"}, {"day": "{D}"}, day))
            if where == "main":
                ways.append((2, "front", {"front": "{D}"}, {"front": "{D}"}, day))
        if clock:
            both = f"{day} K={'brief' if kind == 'plan' else 'clock'}/D.part"
            ways.append((1, "back", {"back": "{K}"}, {"clock": "{K}"}, hour))
        if clock and length == "full":
            ways.append((3, "back", {"back": "{K} {D}"}, {"day": "{D}", "clock": "{K}"}, both))
            if where == "main":
                ways.append((1, "front", {"front": "{K}"}, {"front": "{K}"}, hour))
                ways.append((3, "front", {"front": "{D}", "back": "{K}"}, {"front": "{D}", "clock": "{K}"}, both))
        made[f"time/{kind}/{where}/{length}/{least}{when}"] = tuple(
            rule(empty | english, empty | german, slots=slots, weight=weight, order=order)
            for weight, order, english, german, slots in ways
        )
    return made
