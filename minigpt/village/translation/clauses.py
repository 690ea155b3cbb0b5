"""The grammar of the sentence pairs: what can be said of somebody, when, and in which order of words.

A predicate (the category `act`) writes German parts that a clause arranges: `finite` and `particle`, which a main
clause divides (*steht ... auf*), `last`, which ends a subordinate clause (*aufsteht*), `infinitive` after a modal verb,
and between them `person`, `object` and `place`. In a negated clause the object is `known` or `new`, since *nicht* and
*kein* stand in different places.
"""

from __future__ import annotations

from collections.abc import Mapping

from minigpt.village.translation import lexicon
from minigpt.village.translation.notation import Rule, SynchronousGrammar, rule
from minigpt.village.translation.phrases import Rules, adjectives, articles, nouns, people, phrases, rows, verbs
from minigpt.village.translation.times import days, hours, times


def _places(name: str, listed: str) -> Rules:
    """English preposition and noun, German preposition (or two, for accusative and dative) and noun."""
    made: Rules = {name: ()}
    for english, noun, *german, german_noun in rows(listed):
        cases = dict(zip(("acc", "dat") if len(german) > 1 else ("",), german, strict=True))
        made[f"ground/{noun}"] = (rule(noun, german_noun),)
        made[name] += (
            rule(
                f"{english.replace('_', ' ')} {{N}}",
                {case: f"{words.replace('_', ' ')} {{N}}" for case, words in cases.items()},
                slots=f"N=ground/{noun}",
            ),
        )
    return made


def _by_person(forms: dict[str, str]) -> tuple[Rule, ...]:
    """An auxiliary verb: who to the English and the German form."""
    english, german = ({f"form/{who}": row.split()[side] for who, row in forms.items()} for side in (0, 1))
    return (rule(english, german),)


def small_words() -> Rules:
    """Places, auxiliary verbs, adverbs and reasons."""
    nominatives = {f"nom/{who}": english.split()[0] for who, (english, _) in lexicon.PRONOUNS.items()}
    cases = {f"{case}/{who}": german.split()[column] for who, (_, german) in lexicon.PRONOUNS.items()
             for case, column in (("nom", 0), ("dat", 2))}  # fmt: skip
    made: Rules = {
        "they": (rule(nominatives, cases),),
        "be": _by_person(lexicon.BE),
        "have": _by_person(lexicon.HAVE),
        "not": (rule({"not": "not", "not/cannot": ""}, {"not": "nicht", "not/kein": ""}),),
        "state": tuple(rule(english, german) for english, german in rows(lexicon.STATES)),
        "often": (
            rule("", "", weight=5),
            *(rule(english, german) for english, german in rows(lexicon.FREQUENCIES)),
        ),
    }
    for name, listed in (("where", lexicon.PLACES), ("into", lexicon.ROOMS), ("to", lexicon.GOALS),
                         ("spot", lexicon.SPOTS), ("ride", lexicon.RIDES)):  # fmt: skip
        made |= _places(name, listed)
    slots = ("P=they", "B=be", "H=have")
    for why, reasons in lexicon.REASONS.items():
        made[f"reason/{why}"] = tuple(
            rule(english, german, slots=" ".join(slot for slot in slots if f"{{{slot[0]}." in english))
            for english, german in reasons
        )
    return made


def _act(
    kind: str,
    verb: str,
    english: str = "",
    slots: str = "",
    german: Mapping[str, str] | None = None,
    *,
    weight: float = 1,
    negation: str = "nicht",
) -> Rule:
    """A predicate of a kind of verb, with what follows the verb in English and the German parts that are not empty."""
    return rule(
        {"aux": "", "verb": "{v.verb/*}", "do": "{v.do/*}", "bare": "{v.verb}", "rest": english},
        {
            "finite": "{v.finite/*}",
            "last": "{v.last/*}",
            "particle": "{v.particle}",
            "infinitive": "{v.infinitive}",
            "place": "{v.place}",
        }
        | dict.fromkeys(("person", "object", "known", "new"), "")
        | dict(german or {}),
        slots=f"v={verb}/{kind}/* {slots}",
        weight=weight,
        time="v.time",
        why="v.why",
        negation=negation,
    )


def _act_on(kind: str, verb: str, english: str, slots: str = "", *, weight: float = 1, **german: str) -> Rule:
    """A predicate of a verb that takes a thing, `O`."""
    thing = {"object": "{O.acc}", "known/nicht": "{O.acc}", "new/kein": "{O.acc/no}"}
    return _act(kind, verb, english, f"O=phrase/v.of/* {slots}", thing | german, weight=weight, negation="O.negation")


def acts(verb: str) -> tuple[Rule, ...]:
    """What one can do, of the verbs under `verb` or `reasoned`; the context is who does it."""
    return (
        _act("intransitive", verb, weight=4),
        _act("reflexive", verb, german={"person": "{v.self/*}"}),
        _act("local", verb),
        _act("local", verb, "{W}", "W=where", {"place": "{W}"}, weight=2),
        _act("moving", verb, "{W}", "W=into", {"place": "{W}"}),
        _act("moving", verb, "{W}", "W=to", {"place": "{W}"}),
        _act_on("transitive", verb, "{O} {v.after}", weight=12),
        _act("meeting", verb, "{P} {v.after}", "P=friend/*", {"person": "{P.acc}"}, weight=4),
        _act("helping", verb, "{P}", "P=receiver/*", {"person": "{P.dat}"}, weight=2),
    )


def long_acts() -> tuple[Rule, ...]:
    """What takes more than five words to say, or a preposition."""
    return (
        _act("travelling", "verb", "{W} {B}", "W=to B=ride", {"place": "{B} {W}"}),
        _act("waiting", "verb", "{P}", "P=friend/*", {"place": "{v.place} {P.acc}"}),
        _act_on("giving", "verb", "{R} {O}", "R=receiver/*", person="{R.dat}", weight=3),
        _act_on("putting", "verb", "{O} {W}", "W=spot", place="{W.acc}", weight=2),
    )


def states() -> tuple[Rule, ...]:
    """What one can be, where one can be, and what one has or does without wanting to: there is no modal verb here."""
    return (
        _being("state"),
        _being("where"),
        _act_on("owning", "verb", "{O}", weight=2),
        _act("unwilled", "verb"),
    )


def _being(what: str) -> Rule:
    """A predicate of *be*, which adverbs and *not* follow in English, and which has no *do*."""
    empty = dict.fromkeys(("particle", "person", "object", "known", "new"), "")
    return rule(
        {"aux": "{v.form/*}", "verb": "", "do": "{v.form/*}", "bare": "", "rest": "{A}"},
        {"finite": "{v.form/*}", "last": "{v.form/*}", "place": "{A}"} | empty,
        slots=f"v=be A={what}",
        time="short-day",
        why="",
        negation="nicht",
    )


def modals() -> tuple[Rule, ...]:
    """The modal verbs, and the future; the context is who."""
    made = []
    for third, other, rest, not_third, not_other, after, german in lexicon.MODALS:
        i, he, we = german.split()
        english = {"form": other, "rest": rest, "do": not_other, "after": after}
        english |= {f"form/{who}": third for who in ("3m", "3f")} | {f"do/{who}": not_third for who in ("3m", "3f")}
        if rest == "allowed to":
            english |= {"form/1s": "am", "do/1s": "am"}
        german = {"form": he, "form/1s": i, "form/1p": we, "form/3p": we}
        made.append(rule(english, german, negation="cannot" if not_other == "cannot" else "not"))
    return tuple(made)


def _clause(kind: str, subject: str, act: str, time: str, weight: float = 1) -> Rule:
    """A clause of a kind (`plain`, `often`, `negated`, `modal`, `wish` or `modal negated`) with its German orders."""
    verb, finite, end, last = "{V.aux} {V.verb}", "{V.finite}", "{V.particle}", "{V.last}"
    middle = "{V.person} {T.day} {T.clock} {V.object} {V.place}"
    slots = f"S={subject} V={act}/S.who T={time}/V.time"
    if "modal" in kind or kind == "wish":
        verb = "{M.form/S.who} {M.rest} {V.bare}"
        finite, end, last = "{M.form/S.who}", "{V.infinitive}", "{V.infinitive} {M.form/S.who}"
        slots += " M=wish" if kind == "wish" else " M=modal"
    if "negated" in kind:
        # "Er macht das Fenster abends nicht zu", but "Er macht abends kein Fenster auf".
        middle = "{V.person} {V.known/V.negation} {T.day} {V.new/V.negation} {N.not/V.negation} {V.place}"
        modal = "{M.do/S.who} {N.not/M.negation} {M.after} {V.bare}"
        verb = modal if "modal" in kind else "{V.do} {N.not} {V.bare}"
        slots += " N=not"
    if kind == "often":
        verb, middle = "{V.aux} {F} {V.verb}", middle.replace("{T.day}", "{T.day} {F}")
        slots += " F=often"
    return rule(
        f"{{T.front}} {{S.nom}} {verb} {{V.rest}} {{T.back}}",
        {
            "main/back": f"{{S.nom}} {finite} {middle} {end}",
            "main/front": f"{{T.front}} {finite} {{S.nom}} {middle} {end}",
            "sub": f"{{S.nom}} {middle} {last}",
        },
        slots=slots,
        weight=weight,
        order="T.order",
        who="S.who",
        why="V.why",
    )


def clauses() -> Rules:
    """Main clauses, those that can have a reason, and those that somebody says; the context of these is who."""
    return {
        "act": acts("verb") + long_acts(),
        "brief": acts("verb"),
        "reasoned": acts("reasoned"),
        "being": states(),
        "happening": (_act("event", "verb"),),
        "leaving": (_act("travel", "verb"),),
        "lying": (_act("lying", "verb", "{W}", "W=spot", {"place": "{W.dat}"}),),
        "modal": modals(),
        "wish": modals()[:1] + modals()[3:4],
        "clause": (
            _clause("often", "subject", "act", "time/habit/main/full", 8),
            _clause("negated", "subject", "act", "time/habit/main/day", 3),
            _clause("modal", "subject", "act", "time/plan/main/full", 6),
            _clause("modal negated", "subject", "act", "time/plan/main/day", 2),
            _clause("often", "subject", "being", "time/habit/main/full", 2),
            _clause("negated", "subject", "being", "time/habit/main/day", 1),
            _clause("plain", "phrase/event", "happening", "time/plan/main/full", 1),
            _clause("plain", "phrase/vehicle", "leaving", "time/plan/main/full", 1),
            _clause("plain", "phrase/lying", "lying", "time/plan/main/full", 0.5),
            _clause("negated", "phrase/lying", "lying", "time/plan/main/day", 0.25),
        ),
        "because": (
            _clause("plain", "subject", "reasoned", "time/habit/main/day", 2),
            _clause("wish", "subject", "reasoned", "time/plan/main/day", 1),
        ),
        "that": (
            _clause("plain", "hero/*", "brief", "time/habit/inner/one", 4),
            _clause("modal", "hero/*", "brief", "time/plan/inner/day", 2),
            _clause("negated", "hero/*", "brief", "time/habit/inner/day", 1),
            _clause("plain", "hero/*", "being", "time/habit/inner/day", 1),
        ),
        "sentence": (
            rule("{C} .", "{C.main/C.order} .", slots="C=clause", weight=14),
            rule(
                "{S.nom} {Q.verb/S.who} that {C} .",
                "{S.nom} {Q.finite/S.who} , dass {C.sub} .",
                slots="S=subject Q=verb/saying C=that/S.who",
                weight=3,
            ),
            rule(
                "{C} because {R} .",
                "{C.main/C.order} , weil {R} .",
                slots="C=because R=reason/C.why/C.who",
                weight=3,
            ),
        ),
    }


GRAMMAR = SynchronousGrammar(
    articles() | adjectives() | nouns() | phrases() | people() | verbs()
    | small_words() | hours() | days() | times() | clauses()
)  # fmt: skip
