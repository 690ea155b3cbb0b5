"""Whole models, each put together from the parts in `minigpt.nn` by one `TransformerConfig`."""

from minigpt.models.bert import BERT
from minigpt.models.config import TransformerConfig
from minigpt.models.encoder_decoder import DecoderState, EncoderDecoder
from minigpt.models.gpt import GPT
from minigpt.models.heads import MaskedLanguageModel, SequenceClassifier, TokenClassifier

__all__ = [
    "BERT",
    "GPT",
    "DecoderState",
    "EncoderDecoder",
    "MaskedLanguageModel",
    "SequenceClassifier",
    "TokenClassifier",
    "TransformerConfig",
]
