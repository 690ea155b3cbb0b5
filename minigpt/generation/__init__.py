"""From a model to a text: how the next token is chosen, and how fast (chapter 10)."""

from minigpt.generation.beam import Hypothesis, Normalisation, beam_search, power, wu
from minigpt.generation.decoder import Decoder, Overflow
from minigpt.generation.diversity import distinct, n_grams, repeated, self_bleu
from minigpt.generation.generate import ANCESTRAL, GREEDY, generate, row_generators, steps, uniform_draws
from minigpt.generation.processors import (
    Sampling,
    draw,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    temperature,
    top_k,
    top_p,
)
from minigpt.generation.speculative import Speculation, acceptance, check, residual, speculative
from minigpt.generation.stop import Match, StopStrings
from minigpt.generation.stream import Completion, TextStream, complete, stream

__all__ = [
    "ANCESTRAL",
    "GREEDY",
    "Completion",
    "Decoder",
    "Hypothesis",
    "Match",
    "Normalisation",
    "Overflow",
    "Sampling",
    "Speculation",
    "StopStrings",
    "TextStream",
    "acceptance",
    "beam_search",
    "check",
    "complete",
    "distinct",
    "draw",
    "generate",
    "min_p",
    "n_grams",
    "no_repeat_ngram",
    "power",
    "repeated",
    "repetition_penalty",
    "residual",
    "row_generators",
    "self_bleu",
    "speculative",
    "steps",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "uniform_draws",
    "wu",
]
