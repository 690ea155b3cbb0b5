"""What the pages of the crawl are made of besides stories: sentences of other languages, lines of machines, words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

from minigpt.village.translation import sentence_pair

T = TypeVar("T")

BAD_WORDS = ("blorp", "grufflet", "plonkerel", "snazzock", "wobblewit", "zugglebog")
"""The words that no page should hold; they are made up, and offend nobody."""

FRENCH = (
    ("Le boulanger", "La petite fille", "Mon frère", "Ma grand-mère", "Le facteur", "Le vieux pêcheur", "Notre voisine",
     "Un jeune garçon", "La maîtresse d'école", "Le chat de ma tante"),
    ("a trouvé un chapeau rouge dans le jardin", "achète du pain et du fromage au marché", "ne veut pas aller au lit",
     "raconte une longue histoire aux enfants", "cherche ses lunettes sous la table", "s'est assis près de la fenêtre",
     "regarde les bateaux qui partent", "a perdu la clé de la vieille maison", "chante plus fort que tout le monde",
     "prépare une tarte aux pommes", "écrit une lettre à son oncle", "a peur de l'orage et des chiens"),
    ("ce matin", "hier soir", "tous les jours", "après la pluie", "depuis trois semaines", "à six heures et demie",
     "pendant que les autres dorment", "avant le dîner"),
)  # fmt: skip
DUTCH = (
    ("De bakker", "Het kleine meisje", "Mijn broer", "Mijn grootmoeder", "De postbode", "De oude visser",
     "Onze buurvrouw", "Een jonge timmerman", "De juf van school", "De kat van mijn tante"),
    ("heeft een rode hoed in de tuin gevonden", "koopt brood en kaas op de markt", "wil nog niet naar bed gaan",
     "vertelt een lang verhaal aan de kinderen", "zoekt zijn bril onder de tafel", "zit vlak bij het raam",
     "kijkt naar de boten op de rivier", "is de sleutel van het oude huis kwijt", "zingt harder dan alle anderen",
     "bakt een lekkere appeltaart", "schrijft een brief aan haar oom", "is bang voor onweer en honden"),
    ("vanmorgen", "gisteravond", "iedere dag", "na de regen", "al drie weken", "om half zeven",
     "terwijl de anderen slapen", "voor het avondeten"),
)  # fmt: skip
SPANISH = (
    ("El panadero", "La niña pequeña", "Mi hermano", "Mi abuela", "El cartero", "El viejo pescador", "Nuestra vecina",
     "Un joven carpintero", "La maestra de la escuela", "El gato de mi tía"),
    ("encontró un sombrero rojo en el jardín", "compra pan y queso en el mercado", "no quiere irse a la cama",
     "cuenta una larga historia a los niños", "busca sus gafas debajo de la mesa", "se sienta cerca de la ventana",
     "mira los barcos que salen del puerto", "perdió la llave de la casa vieja", "canta más fuerte que todos",
     "prepara una tarta de manzana", "escribe una carta a su tío", "tiene miedo de la tormenta y de los perros"),
    ("esta mañana", "anoche", "todos los días", "después de la lluvia", "desde hace tres semanas", "a las seis y media",
     "mientras los demás duermen", "antes de la cena"),
)  # fmt: skip

MENUS = (
    "Home | News | Stories | Contact", "Skip to content", "Share this page", "You are here: Home > Stories > Today",
    "Log in / Register", "Most read this week", "Previous story | Next story", "Tags: children, animals, weather",
    "Opening hours and how to find us", "Photograph: the editor",
)  # fmt: skip
COOKIES = (
    "This page uses cookies so that it knows you again.",
    "By reading on you agree to our terms of use and our cookie policy.",
    "Read our privacy policy before you write to us.",
)
SCRIPTS = (
    "Please switch on JavaScript to see the pictures of this story.",
    "Your browser does not run javascript, so the map is not shown.",
)
SHORT_LINES = ("Read more.", "Back to top.", "Print this.", "Well done!", "New today!")
ABOUT = (
    "The {site} is read in every house of the valley. It is printed once a week by three people and a goat. Nobody has "
    "ever complained about it for long.",
    "All stories in the {site} are told by people who were there. We write them down as we hear them. If you know "
    "better, come to the office on the bridge.",
    "You may copy pages of the {site} by hand. Use good ink and leave the margins free. We thank our readers for their "
    "patience.",
)
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore.",
    "Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat.",
    "Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur.",
)
GOODS = (
    "lantern",
    "kite",
    "barrow",
    "flute",
    "scarf",
    "drum",
    "kettle",
    "ribbon",
    "ladder",
    "honey",
    "candle",
    "clock",
)
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "pink", "orange", "purple", "grey", "golden")
ADJECTIVES = ("cheap", "best", "free", "new", "top", "original", "fast", "discount")
SPARE_WORDS = (
    "river", "yellow", "under", "market", "quickly", "window", "seven", "danced", "kitchen", "nobody", "ribbon",
    "whispered", "garden", "between", "always", "pigeon", "carried", "morning", "bridge", "rather", "copper", "forgot",
    "cellar", "without", "twice", "button", "laughed", "corner", "meadow", "himself", "stormy", "painted", "basket",
)  # fmt: skip
FIRST_NAMES = ("mia", "ben", "clara", "oskar", "lotte", "theo", "frida", "noah", "ella", "karl")
SURNAMES = ("baker", "miller", "potter", "weaver", "fisher", "carpenter", "shepherd", "smith")


def pick(draw: Random, options: Sequence[T]) -> T:
    """One of the options, each as likely as another; only `Random.random` is asked, whose stream Python promises."""
    return options[int(draw.random() * len(options))]


def shuffled(draw: Random, things: Iterable[T]) -> list[T]:
    """The things in an order that is drawn."""
    found = list(things)
    for i in range(len(found) - 1, 0, -1):
        j = int(draw.random() * (i + 1))
        found[i], found[j] = found[j], found[i]
    return found


def german(draw: Random) -> str:
    """A German sentence."""
    return sentence_pair(draw.getrandbits(62)).german


def _from_stock(stock: Sequence[Sequence[str]]) -> Callable[[Random], str]:
    def sentence(draw: Random) -> str:
        return " ".join([pick(draw, part) for part in stock]) + "."

    return sentence


SENTENCES: dict[str, Callable[[Random], str]] = {
    "de": german,
    "fr": _from_stock(FRENCH),
    "nl": _from_stock(DUTCH),
    "es": _from_stock(SPANISH),
}
"""By the code of its language: a function that draws a sentence."""
