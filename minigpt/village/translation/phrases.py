"""The words of the lexicon as rules: articles, adjectives and nouns that agree, people, and verbs with their forms."""

from __future__ import annotations

from collections.abc import Iterator

from minigpt.village.translation import lexicon
from minigpt.village.translation.notation import Rule, rule

Rules = dict[str, tuple[Rule, ...]]

PERSONS = ("1s", "3m", "3f", "1p", "3p")


def rows(text: str) -> list[list[str]]:
    """The words of each row of a list."""
    return [row.split() for row in text.split(",")]


def sound(english: str) -> str:
    """`v` for a word that takes "an", `c` for one that takes "a"."""
    return "v" if english[0] in "aeiou" else "c"


def articles() -> Rules:
    """`the`, `a` and `my`, and the mixtures of them that nouns take; the context is who owns."""
    the = {f"{case}/{gender}": form for case, forms in lexicon.ARTICLES.items()
           for gender, form in zip(lexicon.GENDERS, forms.split(), strict=True)}  # fmt: skip
    the |= {f"no/{gender}": the[f"acc/{gender}"] for gender in lexicon.GENDERS}
    a, mine = {}, {}
    for case, endings in lexicon.EIN.items():
        for gender, ending in zip(lexicon.GENDERS, endings.replace("-", "").split(" "), strict=True):
            a[f"{case}/{gender}"] = f"ein{ending}"
            for who, (_, german) in lexicon.PRONOUNS.items():
                mine[f"{case}/{gender}/{who}"] = german.split()[3] + ending
            if case == "acc":
                a[f"no/{gender}"] = f"kein{ending}"
                mine |= {f"no/{gender}/{who}": mine[f"acc/{gender}/{who}"] for who in lexicon.PRONOUNS}
    owner = {f"word/{letter}/{who}": english.split()[2] for who, (english, _) in lexicon.PRONOUNS.items()
             for letter in "cv"}  # fmt: skip
    kinds = {
        "the": rule({"word": "the"}, the, weight=3, ending="der", negation="nicht"),
        "a": rule({"word/c": "a", "word/v": "an"}, a, weight=2, ending="ein", negation="kein"),
        "my": rule(owner, mine, weight=2, ending="ein", negation="nicht"),
    }
    mixtures = {"any": "the a my", "the-a": "the a", "the-my": "the my", "the": "the", "a": "a", "my": "my"}
    return {f"article/{name}": tuple(kinds[kind] for kind in mixture.split()) for name, mixture in mixtures.items()}


def adjectives() -> Rules:
    """The adjectives of each class, with all endings."""
    made: Rules = {}
    for name, listed in lexicon.ADJECTIVES.items():
        made[f"adjective/{name}"] = tuple(
            rule(english, _declined(german), sound=sound(english)) for english, german in rows(listed)
        )
    return made


def _declined(german: str) -> dict[str, str]:
    return {f"{case}/{article}/{gender}": german + ending for article, cases in lexicon.ENDINGS.items()
            for case, endings in cases.items()
            for gender, ending in zip(lexicon.GENDERS, endings.split(), strict=True)}  # fmt: skip


def nouns() -> Rules:
    """The nouns of each class."""
    return {f"noun/{name}": tuple(_noun(*row) for row in rows(listed)) for name, listed in lexicon.NOUNS.items()}


def _noun(english: str, german: str, gender: str) -> Rule:
    forms = {"": german, "dat": german + "n"} if gender == "p" else german
    who = "3p/group" if gender == "p" else f"3{gender}/adult"
    return rule(english, forms, sound=sound(english), gender=gender, who=who)


# Class of nouns to the articles and the adjectives that it takes.
_PHRASES = {
    "toy": "any thing", "pet": "a animal", "reading": "the-a -", "opening": "the room", "container": "the room",
    "clothing": "any thing", "light": "the -", "luggage": "any thing", "loan": "the-a thing", "need": "a thing",
    "food": "any food", "ware": "the-a food", "animal": "the-my animal", "gift": "the-a food", "room": "the-my -",
    "sibling": "my sibling", "elder": "my elder", "neighbour": "the neighbour", "group": "the -", "event": "the -",
    "vehicle": "the -",
}  # fmt: skip


def phrases() -> Rules:
    """Article, perhaps an adjective, and noun: `phrase/toy` and so on; the context is who owns.

    The classes in `plain` have no adjective.
    """
    made: Rules = {"phrase/lying": (_phrase("toy", "the", ""), _phrase("toy", "the", "A=adjective/thing"))}
    for name, kinds in _PHRASES.items():
        article, adjective = kinds.split()
        made[f"plain/{name}"] = made[f"phrase/{name}"] = (_phrase(name, article, ""),)
        if adjective != "-":
            made[f"phrase/{name}"] += (_phrase(name, article, f"A=adjective/{adjective}"),)
    for length in ("plain", "phrase"):
        made[f"{length}/kin"] = (_passed(f"{length}/sibling/*"), _passed(f"{length}/elder/*"))
    return made


def _phrase(noun: str, article: str, adjective: str) -> Rule:
    cases = {"nom": "nom", "acc": "acc", "dat": "dat", "acc/no": "no"}
    first, between = ("A", "{A} ") if adjective else ("N", "")
    german = {}
    for part, key in cases.items():
        case = part.removesuffix("/no")
        ending = f"{{A.{case}/D.ending/N.gender}} " if adjective else ""
        german[part] = f"{{D.{key}/N.gender/*}} {ending}{{N.{case}}}"
    return rule(
        f"{{D.word/{first}.sound/*}} {between}{{N}}",
        german,
        slots=f"D=article/{article} {adjective} N=noun/{noun}",
        who="N.who",
        negation="D.negation",
    )


def _passed(category: str, weight: float = 1) -> Rule:
    """A rule that fills its place by a category and adds nothing."""
    german = {case: f"{{K.{case}}}" for case in ("nom", "acc", "dat")}
    return rule("{K}", german, slots=f"K={category}", weight=weight, who="K.who")


def _pronoun(who: str, weight: float = 1) -> Rule:
    (english, english_object, _), (nom, acc, dat, _) = (side.split() for side in lexicon.PRONOUNS[who])
    german = {"nom": nom, "acc": acc, "dat": dat}
    return rule({"": english_object, "nom": english}, german, weight=weight, who=who)


def _name(name: str, weight: float = 1) -> Rule:
    gender = "m" if name in lexicon.BOYS else "f"
    return rule(name, name, weight=weight, who=f"3{gender}/{name}")


def people() -> Rules:
    """Who does something (`subject`), and for each of them whom it can be done to, and of whom they can tell.

    `friend` leaves out *them*, which in the accusative is *sie* as *her* is; `receiver` has it, for the dative, where
    one is *ihnen* and the other *ihr*. Nobody in them is who the subject is.
    """
    names = [_name(name) for name in lexicon.GIRLS + lexicon.BOYS]
    subjects = [
        *(_pronoun(who, weight) for who, weight in zip(PERSONS, (5, 2, 2, 3, 2), strict=True)),
        *names,
        _passed("plain/kin/1s", weight=3),
        _passed("plain/neighbour", weight=2),
        _passed("plain/group", weight=1),
    ]
    made: Rules = {"subject": tuple(subjects)}
    for who in (*PERSONS, "3p/group", "3m/adult", "3f/adult", *(name.features["who"] for name in names)):
        made[f"friend/{who}"] = tuple(_others(who, ("1s", "3m", "3f", "1p"), "phrase"))
        made[f"receiver/{who}"] = tuple(_others(who, PERSONS, "phrase"))
        made[f"hero/{who}"] = tuple(_others(who, ("3m", "3f", "3p"), "plain"))
    return made


def _others(who: str, persons: tuple[str, ...], length: str) -> Iterator[Rule]:
    person, _, name = who.partition("/")
    for other in persons:
        if not (other[0] == person[0] == "1" or other == person == "3p"):
            yield _pronoun(other, 1.5)
    yield from (_name(other, 0.3) for other in lexicon.GIRLS + lexicon.BOYS if other != name)
    if name != "adult":
        yield _passed(f"{length}/kin/{who}", weight=3)
        yield _passed(f"{length}/neighbour")
    if person != "3p":
        yield _passed(f"{length}/group")


def third_person(verb: str) -> str:
    """An English verb after he and she: its first word with an ending."""
    first, *rest = verb.split()
    if first == "have":
        first = "has"
    elif first.endswith(("ch", "sh", "s", "o")):
        first += "es"
    elif first.endswith("y") and first[-2] not in "aeiou":
        first = first[:-1] + "ies"
    else:
        first += "s"
    return " ".join([first, *rest])


def finite_forms(infinitive: str, third: str) -> dict[str, str]:
    """Who to the German verb; `third` is the form for er, sie and es where it is not regular, else empty."""
    stem = infinitive.removesuffix("n").removesuffix("e")
    third = third or stem + ("et" if stem.endswith(("t", "d")) else "t")
    return {"1s": "weiß" if third == "weiß" else stem + "e", "1p": infinitive, "3p": infinitive} | dict.fromkeys(
        ("3m", "3f", "3n"), third
    )


# Kinds of verbs that make a sentence of two or three words, so that a time has to be said with them.
_SHORT = ("intransitive", "unwilled", "reflexive", "local", "meeting", "helping", "event", "travel")


def verbs() -> Rules:
    """The verbs of each kind, and under `reasoned` those that one has a reason for."""
    made: dict[str, list[Rule]] = {}
    for row in lexicon.VERBS.strip().splitlines():
        kind, english, german, *more = row.split()
        third = "".join(word for word in more if "=" not in word)
        notes = dict(word.split("=") for word in more if "=" in word)
        time = ("short-" if kind in _SHORT else "") + notes.get("time", "any")
        verb = _verb(kind, english, german, third, time=time, why=notes.get("why", ""), of=notes.get("of", ""))
        for group in ("verb", "reasoned") if "why" in notes else ("verb",):
            made.setdefault(f"{group}/{kind}", []).append(verb)
            # Two children do not put one coat on.
            if notes.get("of") not in ("clothing", None):
                for who in ("1p", "3p"):
                    made.setdefault(f"{group}/{kind}/{who}", []).append(verb)
    return {name: tuple(rules) for name, rules in made.items()}


def _verb(kind: str, english: str, german: str, third: str, **features: str) -> Rule:
    separable, _, infinitive = german.rpartition("|")
    *place, infinitive = infinitive.split("_")
    base, _, after = english.partition("_") if english in lexicon.SEPARATED else (english.replace("_", " "), "", "")
    he_she = third_person(base)
    thirds = ("3m", "3f", "3n")
    finite = finite_forms(infinitive, third)
    return rule(
        {"verb": base, "after": after, "do": "do"}
        | {f"verb/{who}": he_she for who in thirds}
        | {f"do/{who}": "does" for who in thirds},
        {f"finite/{who}": form for who, form in finite.items()}
        | {f"last/{who}": separable + form for who, form in finite.items()}
        | ({f"self/{who}": lexicon.REFLEXIVES.get(who, "sich") for who in finite} if kind == "reflexive" else {})
        | {"particle": separable, "infinitive": separable + infinitive, "place": " ".join(place)},
        **features,
    )
