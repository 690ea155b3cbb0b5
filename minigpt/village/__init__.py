"""A small simulated world: seeded stories of which everything is known, from the state of the world to the last digit
of the text's probability.
"""

from minigpt.village.entropy import Entropy, Estimate, entropy
from minigpt.village.events import Event
from minigpt.village.parser import Contradiction, ParseError, contradictions, parse
from minigpt.village.questions import Question, questions
from minigpt.village.reader import log_prob_without_state
from minigpt.village.stories import SIZES, Story, derivations, log_prob, stories, story
from minigpt.village.translation.pairs import (
    SentencePair,
    english_log_prob,
    german_log_prob,
    sentence_pair,
    sentence_pairs,
    size_of_pairs,
    translate,
)

__all__ = [
    "SIZES",
    "Contradiction",
    "Entropy",
    "Estimate",
    "Event",
    "ParseError",
    "Question",
    "SentencePair",
    "Story",
    "contradictions",
    "derivations",
    "english_log_prob",
    "entropy",
    "german_log_prob",
    "log_prob",
    "log_prob_without_state",
    "parse",
    "questions",
    "sentence_pair",
    "sentence_pairs",
    "size_of_pairs",
    "stories",
    "story",
    "translate",
]
