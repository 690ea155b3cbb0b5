"""Whole models, each put together from the parts in `minigpt.nn` by one `TransformerConfig`."""

from minigpt.models.base import base_model
from minigpt.models.bert import BERT
from minigpt.models.config import TransformerConfig
from minigpt.models.count import ARCHITECTURES, count_parameters
from minigpt.models.encoder_decoder import DecoderState, EncoderDecoder
from minigpt.models.folder import load_model, save_model
from minigpt.models.gpt import GPT
from minigpt.models.heads import MaskedLanguageModel, SequenceClassifier, TokenClassifier
from minigpt.models.presets import PRESETS, Preset, preset

__all__ = [
    "ARCHITECTURES",
    "BERT",
    "GPT",
    "PRESETS",
    "DecoderState",
    "EncoderDecoder",
    "MaskedLanguageModel",
    "Preset",
    "SequenceClassifier",
    "TokenClassifier",
    "TransformerConfig",
    "base_model",
    "count_parameters",
    "load_model",
    "preset",
    "save_model",
]
