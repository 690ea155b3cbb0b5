"""What the two libraries call the same property of a model: one table for each architecture, for both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from minigpt.interop.hugging_face.files import CheckpointError
from minigpt.interop.hugging_face.rope import read_rope, typed, write_rope
from minigpt.models import TransformerConfig

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "quick_gelu": "gelu_sigmoid",
    "relu": "relu",
    "silu": "silu",
    "sigmoid": "sigmoid",
    "linear": "identity",
    # Other names, or other ways to compute the same.
    "gelu_python": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "swish": "silu",
}
"""Their name to ours. Where several mean the same, the first is written."""

FIELDS = {field.name: field for field in fields(TransformerConfig)}


@dataclass(frozen=True)
class Entry:
    """An entry of `config.json` that is a field of `TransformerConfig`.

    Args:
        theirs: name of the entry.
        ours: name of the field.
        default: what Transformers takes where the entry is not there.
    """

    theirs: str
    ours: str
    default: Any


@dataclass(frozen=True)
class Format:
    """How the configuration of one `model_type` of Transformers describes what `TransformerConfig` describes.

    Args:
        entries: the entries that correspond to fields.
        activation: the entry with the name of the activation, and its default.
        dropouts: the entries that are shares of dropout, which must all be equal, and their default.
        only: entries of which we have only this value, which is also their default.
        implied: fields that this architecture fixes.
    """

    entries: tuple[Entry, ...]
    activation: tuple[str, str]
    dropouts: dict[str, float | None]
    only: dict[str, Any]
    implied: dict[str, Any]


def entries(**table: tuple[str, Any]) -> tuple[Entry, ...]:
    """One entry for each `ours=(theirs, default)`."""
    return tuple(Entry(theirs, ours, default) for ours, (theirs, default) in table.items())


GPT2 = Format(
    entries=entries(
        vocab_size=("vocab_size", 50257),
        context=("n_positions", 1024),
        d_model=("n_embd", 768),
        n_layers=("n_layer", 12),
        n_heads=("n_head", 12),
        d_ff=("n_inner", None),
        norm_eps=("layer_norm_epsilon", 1e-5),
        std=("initializer_range", 0.02),
        tied=("tie_word_embeddings", True),
    ),
    activation=("activation_function", "gelu_new"),
    dropouts={"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1},
    only={
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
    },
    implied={"positions": "learned"},
)

BERT = Format(
    entries=entries(
        vocab_size=("vocab_size", 30522),
        context=("max_position_embeddings", 512),
        d_model=("hidden_size", 768),
        n_layers=("num_hidden_layers", 12),
        n_heads=("num_attention_heads", 12),
        d_ff=("intermediate_size", 3072),
        n_segments=("type_vocab_size", 2),
        norm_eps=("layer_norm_eps", 1e-12),
        std=("initializer_range", 0.02),
        tied=("tie_word_embeddings", True),
    ),
    activation=("hidden_act", "gelu"),
    dropouts={"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "classifier_dropout": None},
    only={"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False},
    implied={"norm_first": False, "positions": "learned"},
)

ROTARY = {"norm": "rms", "gated": True, "positions": "rotary"}

LLAMA = Format(
    entries=entries(
        vocab_size=("vocab_size", 32000),
        context=("max_position_embeddings", 2048),
        d_model=("hidden_size", 4096),
        n_layers=("num_hidden_layers", 32),
        n_heads=("num_attention_heads", 32),
        n_kv_heads=("num_key_value_heads", None),
        d_head=("head_dim", None),
        d_ff=("intermediate_size", 11008),
        norm_eps=("rms_norm_eps", 1e-6),
        std=("initializer_range", 0.02),
        tied=("tie_word_embeddings", False),
        bias=("mlp_bias", False),
        qkv_bias=("attention_bias", False),
        out_bias=("attention_bias", False),
    ),
    activation=("hidden_act", "silu"),
    dropouts={},
    only={"attention_dropout": 0.0},
    implied=ROTARY,
)

MISTRAL = Format(
    entries=entries(
        vocab_size=("vocab_size", 32000),
        context=("max_position_embeddings", 131072),
        d_model=("hidden_size", 4096),
        n_layers=("num_hidden_layers", 32),
        n_heads=("num_attention_heads", 32),
        n_kv_heads=("num_key_value_heads", 8),
        d_head=("head_dim", None),
        d_ff=("intermediate_size", 14336),
        window=("sliding_window", 4096),
        norm_eps=("rms_norm_eps", 1e-6),
        std=("initializer_range", 0.02),
        tied=("tie_word_embeddings", False),
    ),
    activation=("hidden_act", "silu"),
    dropouts={},
    only={"attention_dropout": 0.0},
    implied=ROTARY | {"bias": False},
)

FORMATS = {"gpt2": GPT2, "bert": BERT, "llama": LLAMA, "mistral": MISTRAL}


@dataclass(frozen=True)
class Description:
    """What `config.json` says.

    Attributes:
        architecture: name of the class in Transformers.
        config: sizes and parts.
        n_classes: how many classes the labels are; of no meaning where there is no classifier.
    """

    architecture: str
    config: TransformerConfig
    n_classes: int = 2


def read_config(raw: dict[str, Any], architecture: str) -> Description:
    """What a configuration of Transformers says.

    Args:
        raw: the content of `config.json`.
        architecture: name of a class of Transformers.

    Raises:
        CheckpointError: if a value is of the wrong kind, or we have nothing that corresponds to it exactly.
    """
    model_type = raw.get("model_type")
    if not isinstance(model_type, str) or model_type not in FORMATS:
        raise CheckpointError(f"model_type={model_type!r} is not known; use one of {', '.join(FORMATS)}")
    if not architecture.lower().startswith(model_type):
        raise CheckpointError(f"model_type={model_type!r} and the architecture {architecture!r} contradict one another")
    form = FORMATS[model_type]
    if raw.get("quantization_config") is not None:
        raise CheckpointError("the weights are quantised (quantization_config); only plain ones can be read")
    for name, value in form.only.items():
        if raw.get(name, value) != value:
            raise CheckpointError(f"{name}={raw[name]!r} has no counterpart here; only {name}={value!r} has")
    values = dict(form.implied)
    for entry in form.entries:
        values[entry.ours] = typed(raw, entry.theirs, entry.default, optional=FIELDS[entry.ours].default is None)
    name, default = form.activation
    theirs = raw.get(name, default)
    if not isinstance(theirs, str) or theirs not in ACTIVATIONS:
        raise CheckpointError(f"{name}={theirs!r} has no counterpart here; use one of {', '.join(ACTIVATIONS)}")
    values["activation"] = ACTIVATIONS[theirs]
    values["dropout"] = _read_dropout(raw, form.dropouts)
    if values.get("positions") == "rotary":
        values |= read_rope(raw, values["context"])
    if model_type == "bert":
        if not values["n_segments"]:
            raise CheckpointError("type_vocab_size=0: BERT of Transformers always has embeddings of segments")
        # Only the masked language model has a map to the vocabulary.
        values |= {"head_bias": True} if architecture == "BertForMaskedLM" else {"tied": True}
    try:
        return Description(architecture, TransformerConfig(**values), _read_n_classes(raw))
    except ValueError as error:
        raise CheckpointError(f"the configuration describes no model: {error}") from error


def write_config(described: Description, dtype: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `config.json` that says the same.

    Args:
        described: what is to be said.
        dtype: that of the weights, such as `"float32"`.
        extra: entries that have no counterpart here, such as `eos_token_id` or `id2label`.

    Raises:
        ValueError: if Transformers has nothing that corresponds to it exactly, or `extra` contradicts it.
    """
    config = described.config
    model_type = next(name for name in FORMATS if described.architecture.lower().startswith(name))
    form = FORMATS[model_type]
    raw: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if "Classification" in described.architecture:
        labels = {i: f"LABEL_{i}" for i in range(described.n_classes)}
        raw |= {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
    raw |= extra
    own = form.only | {entry.theirs: getattr(config, entry.ours) for entry in form.entries}
    own |= {"model_type": model_type, "architectures": [described.architecture], "dtype": dtype}
    activations = (theirs for theirs, ours in ACTIVATIONS.items() if ours == config.activation)
    own |= {form.activation[0]: next(activations, config.activation)}
    own |= dict.fromkeys(form.dropouts, config.dropout)
    if form.implied.get("positions") == "rotary":
        own |= write_rope(config)
    contradicted = [name for name in extra if name in own and extra[name] != own[name]]
    if contradicted:
        raise ValueError(f"extra holds {', '.join(contradicted)}, which the model decides; leave it out")
    raw |= own
    _check_same(described, read_config(raw, described.architecture))
    return raw


def _check_same(wanted: Description, written: Description) -> None:
    # What is read back must be what was to be written: whatever Transformers cannot say differs here.
    moot = {"n_encoder_layers"}
    if wanted.architecture.startswith("Bert") and wanted.architecture != "BertForMaskedLM":
        moot |= {"tied", "head_bias"}
    different = [
        f"{name}={getattr(wanted.config, name)!r} (it would be {getattr(written.config, name)!r})"
        for name in FIELDS
        if name not in moot and getattr(wanted.config, name) != getattr(written.config, name)
    ]
    if "Classification" in wanted.architecture and wanted.n_classes != written.n_classes:
        different.append(f"{wanted.n_classes} classes (id2label has {written.n_classes})")
    if different:
        raise ValueError(
            f"{wanted.architecture} of Transformers has no counterpart to {', '.join(different)}. What matters only in "
            "training, such as dropout, can be changed before: model.config = model.config.replace(...)"
        )


def _read_dropout(raw: dict[str, Any], defaults: dict[str, float | None]) -> float:
    found = {name: raw.get(name, default) for name, default in defaults.items()}
    found = {name: typed(found, name, 0.0, optional=False) for name, value in found.items() if value is not None}
    if len(set(found.values())) > 1:
        raise CheckpointError(
            f"{', '.join(f'{name}={value}' for name, value in found.items())}: here there is one dropout for all. They "
            "matter only in training: set them to one value in config.json"
        )
    return next(iter(found.values()), 0.0)


def _read_n_classes(raw: dict[str, Any]) -> int:
    labels = raw.get("id2label")
    if labels is None:
        return typed(raw, "num_labels", 2, optional=False)
    if not isinstance(labels, dict) or not labels:
        raise CheckpointError(f"id2label={labels!r} is no mapping from the number of each class to its name")
    return len(labels)
