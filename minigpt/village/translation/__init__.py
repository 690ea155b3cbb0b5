"""English sentences and their German translations, drawn from a grammar in two languages."""

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
    "SentencePair",
    "english_log_prob",
    "german_log_prob",
    "sentence_pair",
    "sentence_pairs",
    "size_of_pairs",
    "translate",
]
