"""The words of the sentence pairs: a row for each, with its German gender or forms.

Agreement is by *who* the subject is: `1s` (I), `1p` (we), `3m` (he), `3f` (she), `3p` (they), and for others the same
with a name after it, such as `3f/Mia` or `3m/adult`.
"""

from __future__ import annotations

GIRLS = ("Anna", "Clara", "Emma", "Ida", "Lena", "Mia")
BOYS = ("Ben", "Finn", "Jonas", "Max", "Oskar", "Tom")

PRONOUNS = {
    "1s": ("I me my", "ich mich mir mein"),
    "3m": ("he him his", "er ihn ihm sein"),
    "3f": ("she her her", "sie sie ihr ihr"),
    "1p": ("we us our", "wir uns uns unser"),
    "3p": ("they them their", "sie sie ihnen ihr"),
}
"""Who to the English nominative, object form and possessive, and the German nominative, accusative, dative and
possessive."""

REFLEXIVES = {"1s": "mich", "1p": "uns"}
"""Who to *mich* and *uns*; for all others it is *sich*."""

NOUNS = {
    "toy": "ball Ball m, kite Drachen m, doll Puppe f, boat Boot n, book Buch n, key Schlüssel m, hat Hut m",
    "pet": "dog Hund m, cat Katze f, horse Pferd n, doll Puppe f, ball Ball m, boat Boot n",
    "reading": "book Buch n, letter Brief m, story Geschichte f",
    "opening": "door Tür f, window Fenster n",
    "container": "box Kiste f, cupboard Schrank m, bag Tasche f",
    "clothing": "coat Mantel m, sweater Pullover m, jacket Jacke f, shirt Hemd n",
    "light": "lamp Lampe f, light Licht n",
    "luggage": "umbrella Schirm m, ball Ball m, kite Drachen m, book Buch n, basket Korb m, bag Tasche f",
    "loan": "book Buch n, bicycle Fahrrad n, boat Boot n, umbrella Schirm m",
    "need": "book Buch n, bicycle Fahrrad n, boat Boot n, umbrella Schirm m",
    "food": "apple Apfel m, pear Birne f, cake Kuchen m, egg Ei n",
    "ware": "apple Apfel m, pear Birne f, cake Kuchen m, egg Ei n, hat Hut m, coat Mantel m, book Buch n, lamp Lampe f",
    "animal": "dog Hund m, cat Katze f, horse Pferd n",
    "gift": "ball Ball m, doll Puppe f, book Buch n, apple Apfel m, pear Birne f, letter Brief m, flower Blume f, "
    "key Schlüssel m, picture Bild n, egg Ei n",
    "room": "room Zimmer n, kitchen Küche f, house Haus n",
    "sibling": "brother Bruder m, sister Schwester f",
    "elder": "mother Mutter f, father Vater m, grandpa Opa m, grandma Oma f",
    "neighbour": "baker Bäcker m, fisherman Fischer m, teacher Lehrer m",
    "group": "children Kinder p",
    "event": "film Film m, concert Konzert n, game Spiel n, feast Fest n",
    "vehicle": "train Zug m, bus Bus m",
}
"""Class to English nouns with their German and its gender; `p` is the plural."""

ADJECTIVES = {
    "thing": "red rot, blue blau, white weiß, big groß, small klein, old alt, new neu",
    "food": "big groß, small klein, red rot",
    "animal": "big groß, small klein, old alt, white weiß",
    "room": "big groß, small klein, old alt, white weiß",
    "sibling": "big groß, little klein",
    "elder": "dear lieb",
    "neighbour": "old alt",
}
"""Class to English adjectives with their German."""

ARTICLES = {"nom": "der die das die", "acc": "den die das die", "dat": "dem der dem den"}
"""Case to the definite article for each of `GENDERS`."""

EIN = {"nom": "- e - e", "acc": "en e - e", "dat": "em er em en"}
"""Case to the ending of *ein*, *kein* and *mein* for each of `GENDERS`."""

ENDINGS = {
    "der": {"nom": "e e e en", "acc": "en e e en", "dat": "en en en en"},
    "ein": {"nom": "er e es en", "acc": "en e es en", "dat": "en en en en"},
}
"""The article before it and case to the ending of an adjective for each of `GENDERS`."""

GENDERS = "mfnp"

PLACES = (
    "in_the garden im Garten, in_the kitchen in_der Küche, in_the house im Haus, in_the wood im Wald, "
    "at_the market auf_dem Markt, at_the mill an_der Mühle, by_the river am Fluss, "
    "at_the station am Bahnhof, at school in_der Schule"
)
"""Where one is, in English and in German."""

ROOMS = (
    "into_the garden in_den Garten, into_the kitchen in_die Küche, into_the house ins Haus, into_the wood in_den Wald"
)
GOALS = (
    "to_the market zum Markt, to_the mill zur Mühle, to_the river zum Fluss, to_the station zum Bahnhof, "
    "to school zur Schule"
)
"""Where one goes."""

SPOTS = (
    "in_the box in_die in_der Kiste, in_the basket in_den im Korb, in_the cupboard in_den im Schrank, "
    "on_the table auf_den auf_dem Tisch, on_the chair auf_den auf_dem Stuhl, "
    "under_the bed unter_das unter_dem Bett"
)
"""Where a thing is put (accusative) and lies (dative); English says both in the same way."""

RIDES = "by bus mit_dem Bus, by bicycle mit_dem Fahrrad"

STATES = "tired müde, hungry hungrig, happy fröhlich, thirsty durstig, alone allein"

BE = {"1s": "am bin", "3m": "is ist", "3f": "is ist", "1p": "are sind", "3p": "are sind"}
HAVE = {"1s": "have habe", "3m": "has hat", "3f": "has hat", "1p": "have haben", "3p": "have haben"}

FREQUENCIES = "always immer, often oft, never nie, sometimes manchmal, usually meistens"

WEEKDAYS = "Monday Montag, Wednesday Mittwoch, Saturday Samstag, Sunday Sonntag"

PARTS_OF_DAY = ("morning", "afternoon", "evening")
HABITS = "in_the_morning morgens morning, in_the_afternoon nachmittags afternoon, in_the_evening abends evening"
PLANS = (
    "today heute any, tomorrow morgen any, tomorrow_morning morgen_früh morning, "
    "this_afternoon heute_Nachmittag afternoon, tomorrow_afternoon morgen_Nachmittag afternoon, "
    "this_evening heute_Abend evening, tomorrow_evening morgen_Abend evening"
)
"""Days in English and German, with the part of the day that they name."""

HOURS = (
    "one eins", "two zwei", "three drei", "four vier", "five fünf", "six sechs", "seven sieben", "eight acht",
    "nine neun", "ten zehn", "eleven elf", "twelve zwölf",
)  # fmt: skip
CLOCK = {"morning": range(6, 12), "afternoon": range(1, 6), "evening": range(6, 11), "any": range(1, 13)}
"""The hours that a part of the day has."""

REASONS = {
    "home": (("it is late", "es spät ist"), ("it is raining", "es regnet")),
    "free": (("{P.nom/*} {H.form/*} time", "{P.nom/*} Zeit {H.form/*}"),),
    "rest": (("{P.nom/*} {B.form/*} tired", "{P.nom/*} müde {B.form/*}"), ("it is late", "es spät ist")),
    "hunger": (("{P.nom/*} {B.form/*} hungry", "{P.nom/*} hungrig {B.form/*}"),),
    "joy": (
        ("{P.nom/*} {B.form/*} happy", "{P.nom/*} fröhlich {B.form/*}"),
        ("the sun is shining", "die Sonne scheint"),
    ),
    "air": (("it is warm", "es warm ist"),),
    "cold": (("{P.nom/*} {B.form/*} cold", "{P.dat/*} kalt {B.form/3m}"), ("it is cold", "es kalt ist")),
    "dark": (("it is dark", "es dunkel ist"),),
}

MODALS = (
    ("wants", "want", "to", "does", "do", "want to", "will will wollen"),
    ("has", "have", "to", "does", "do", "have to", "muss muss müssen"),
    ("can", "can", "", "cannot", "cannot", "", "kann kann können"),
    ("will", "will", "", "will", "will", "", "werde wird werden"),
    ("is", "are", "allowed to", "is", "are", "allowed to", "darf darf dürfen"),
)
"""English for he and others, what follows; the same two before *not*, and what follows that; ich, er, wir."""

# Kind, English, German with the particle before a bar, and the form for er, sie and es where it is not regular. `time`
# says when one does it, `of` to what, and `why` for which reasons.
VERBS = """
    intransitive get_up           auf|stehen               time=morning
    intransitive come_back        zurück|kommen            why=home
    intransitive go_away          weg|gehen                why=home
    unwilled     fall_asleep      ein|schlafen schläft     time=evening
    intransitive go_shopping      ein|kaufen               why=hunger
    intransitive watch_television fern|sehen sieht         why=free
    intransitive go_home          nach_Hause_gehen         why=home
    intransitive go_to_bed        ins_Bett_gehen           time=evening why=rest
    reflexive    lie_down         hin|legen                why=rest
    local        play             spielen                  why=free
    local        sing             singen                   why=joy
    local        read             lesen liest              why=free
    intransitive sleep            schlafen schläft         time=day why=rest
    moving       go               gehen                    why=free
    travelling   go               fahren fährt             time=day
    transitive   open             auf|machen               of=opening why=air
    transitive   open             auf|machen               of=container
    transitive   close            zu|machen                of=opening why=cold
    transitive   close            zu|machen                of=container
    transitive   tidy             auf|räumen               of=room
    transitive   put_on           an|ziehen                of=clothing why=cold
    transitive   take_off         aus|ziehen               of=clothing why=air
    transitive   turn_on          an|machen                of=light time=evening why=dark
    transitive   turn_off         aus|machen               of=light time=evening why=rest
    transitive   take_along       mit|nehmen nimmt         of=luggage
    transitive   borrow           aus|leihen               of=loan
    transitive   eat_up           auf|essen isst           of=food why=hunger
    transitive   buy              kaufen                   of=ware time=day
    transitive   look_for         suchen                   of=toy
    transitive   feed             füttern                  of=animal
    meeting      call             an|rufen                 why=free
    meeting      pick_up          ab|holen
    meeting      invite           ein|laden lädt           why=joy
    meeting      visit            besuchen                 why=free
    helping      help             helfen hilft             why=free
    helping      listen_to        zu|hören                 why=free
    giving       give             geben gibt               of=gift time=day
    giving       read             vor|lesen liest          of=reading time=day
    waiting      wait_for         auf_warten               why=free
    putting      put              legen                    of=toy time=day
    owning       have             haben hat                of=pet time=none
    owning       need             brauchen                 of=need time=none
    event        start            an|fangen fängt
    event        end              auf|hören
    travel       arrive           an|kommen
    travel       leave            ab|fahren fährt
    lying        lie              liegen                   time=none
    saying       say              sagen
    saying       think            denken
    saying       know             wissen weiß
"""
SEPARATED = {"take_along", "pick_up"}
"""English verbs whose second word follows the object: to pick somebody up."""
