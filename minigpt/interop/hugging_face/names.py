"""What the two libraries call the same tensor: one table of rules for each architecture, used in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from jaxtyping import Float
from torch import Tensor, nn

from minigpt.models import TransformerConfig


@dataclass(frozen=True)
class Rule:
    """Modules of ours and theirs that hold the same weight (and bias, where ours has one). `{}` stands for the layer.

    Args:
        ours: one module.
        theirs: one module, or several whose rows ours holds one below the other.
        transposed: whether theirs multiplies from the other side, as the `Conv1D` of GPT-2.
    """

    ours: str
    theirs: tuple[str, ...]
    transposed: bool = False


@dataclass(frozen=True)
class Piece:
    """One of their tensors, and where it lies in ours.

    Attributes:
        ours: name of our parameter.
        theirs: name of their tensor.
        rows: the rows of ours that are theirs.
        transposed: whether theirs has rows and columns exchanged.
    """

    ours: str
    theirs: str
    rows: slice
    transposed: bool

    def of(self, tensor: Float[Tensor, "*ours"]) -> Float[Tensor, "*theirs"]:
        """The view of our parameter (or of its gradient) that has the shape and the order of theirs."""
        part = tensor[self.rows]
        return part.T if self.transposed and part.ndim == 2 else part


@dataclass(frozen=True)
class Names:
    """How Transformers names the tensors of one class.

    Args:
        base: what stands before the names of the bare model; files leave it out or put it in, depending on the class
            that wrote them.
        rules: the modules.
        tied: names of tensors that files may repeat, and the tensor that each must equal.
        written: names of tensors that Transformers expects beside, and whose value it does not use: a copy of another
            is written, and they are not read.
        ignored: a pattern for the names of tensors that hold nothing which the model needs.
        renamed: endings that old files have, and their names today.
    """

    base: str
    rules: tuple[Rule, ...]
    tied: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    ignored: str = r"(?!)"
    renamed: dict[str, str] = field(default_factory=dict)

    def canonical(self, key: str, known: Collection[str]) -> str | None:
        """The name that `pieces` has for a tensor in a file; `None` if it is ignored.

        Args:
            key: the name in the file. One that is not known stays as it is.
            known: all names that are.
        """
        for old, new in self.renamed.items():
            if key.endswith(old):
                key = key.removesuffix(old) + new
        names = [key, self.base + key, key.removeprefix(self.base)]
        if any(re.fullmatch(self.ignored, name) for name in names):
            return None
        return next((name for name in names if name in known), key)


def rules(*table: tuple[str, ...], transposed: bool = False) -> tuple[Rule, ...]:
    """A rule for each row: our module, then theirs."""
    return tuple(Rule(ours, tuple(theirs), transposed) for ours, *theirs in table)


GPT2_RULES = rules(
    ("embedding", "transformer.wte"),
    ("positions", "transformer.wpe"),
    ("blocks.{}.attention_norm", "transformer.h.{}.ln_1"),
    ("blocks.{}.feed_forward_norm", "transformer.h.{}.ln_2"),
    ("norm", "transformer.ln_f"),
    ("head", "lm_head"),
) + rules(
    ("blocks.{}.attention.qkv", "transformer.h.{}.attn.c_attn"),
    ("blocks.{}.attention.output", "transformer.h.{}.attn.c_proj"),
    ("blocks.{}.feed_forward.up", "transformer.h.{}.mlp.c_fc"),
    ("blocks.{}.feed_forward.down", "transformer.h.{}.mlp.c_proj"),
    transposed=True,
)

LLAMA_RULES = rules(
    ("embedding", "model.embed_tokens"),
    ("blocks.{}.attention_norm", "model.layers.{}.input_layernorm"),
    (
        "blocks.{}.attention.qkv",
        "model.layers.{}.self_attn.q_proj",
        "model.layers.{}.self_attn.k_proj",
        "model.layers.{}.self_attn.v_proj",
    ),
    ("blocks.{}.attention.output", "model.layers.{}.self_attn.o_proj"),
    ("blocks.{}.feed_forward_norm", "model.layers.{}.post_attention_layernorm"),
    ("blocks.{}.feed_forward.gate", "model.layers.{}.mlp.gate_proj"),
    ("blocks.{}.feed_forward.up", "model.layers.{}.mlp.up_proj"),
    ("blocks.{}.feed_forward.down", "model.layers.{}.mlp.down_proj"),
    ("norm", "model.norm"),
    ("head", "lm_head"),
)

BERT_RULES = rules(
    ("embedding", "embeddings.word_embeddings"),
    ("positions", "embeddings.position_embeddings"),
    ("segments", "embeddings.token_type_embeddings"),
    ("embedding_norm", "embeddings.LayerNorm"),
    (
        "blocks.{}.attention.qkv",
        "encoder.layer.{}.attention.self.query",
        "encoder.layer.{}.attention.self.key",
        "encoder.layer.{}.attention.self.value",
    ),
    ("blocks.{}.attention.output", "encoder.layer.{}.attention.output.dense"),
    ("blocks.{}.attention_norm", "encoder.layer.{}.attention.output.LayerNorm"),
    ("blocks.{}.feed_forward.up", "encoder.layer.{}.intermediate.dense"),
    ("blocks.{}.feed_forward.down", "encoder.layer.{}.output.dense"),
    ("blocks.{}.feed_forward_norm", "encoder.layer.{}.output.LayerNorm"),
)
BERT_ENCODER_RULES = tuple(
    replace(rule, ours=f"encoder.{rule.ours}", theirs=tuple(f"bert.{name}" for name in rule.theirs))
    for rule in BERT_RULES
)


def gpt2_names(config: TransformerConfig) -> Names:
    """`GPT2LMHeadModel`. Old files hold the causal mask of every layer."""
    return Names(
        "transformer.",
        GPT2_RULES,
        tied={"lm_head.weight": "transformer.wte.weight"} if config.tied else {},
        ignored=r"h\.\d+\.attn\.(masked_)?bias",
    )


def llama_names(config: TransformerConfig) -> Names:
    """`LlamaForCausalLM` and `MistralForCausalLM`. Old files hold the frequencies of every layer's rotary positions."""
    return Names(
        "model.",
        LLAMA_RULES,
        tied={"lm_head.weight": "model.embed_tokens.weight"} if config.tied else {},
        ignored=r"(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq",
    )


# Old files hold the numbers of the positions; files of a bare BERT and of a masked one may hold heads that it lacks.
BERT_BUFFERS = r"embeddings\.(position|token_type)_ids"
BERT_POOLER = r"|pooler\.dense\.(weight|bias)"
BERT_RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def bert_names(config: TransformerConfig) -> Names:
    """`BertModel`. Its pooler, which only a classifier of whole texts uses, is left aside."""
    return Names("bert.", BERT_RULES, ignored=BERT_BUFFERS + BERT_POOLER + r"|cls\..*", renamed=BERT_RENAMED)


def masked_bert_names(config: TransformerConfig) -> Names:
    """`BertForMaskedLM`. The pooler and the head that said whether two sentences follow one another are left aside."""
    head = "cls.predictions" if config.tied else "cls.predictions.decoder"
    tied = {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    table = (
        ("transform", "cls.predictions.transform.dense"),
        ("norm", "cls.predictions.transform.LayerNorm"),
        ("head", head),
    )
    return Names(
        "bert.",
        BERT_ENCODER_RULES + rules(*table),
        tied=tied if config.tied else {},
        written={} if config.tied else {"cls.predictions.bias": "cls.predictions.decoder.bias"},
        ignored=BERT_BUFFERS + BERT_POOLER + r"|cls\.seq_relationship\.(weight|bias)",
        renamed=BERT_RENAMED,
    )


def sequence_bert_names(config: TransformerConfig) -> Names:
    """`BertForSequenceClassification`."""
    table = rules(("pooler", "bert.pooler.dense"), ("output", "classifier"))
    return Names("bert.", BERT_ENCODER_RULES + table, ignored=BERT_BUFFERS, renamed=BERT_RENAMED)


def token_bert_names(config: TransformerConfig) -> Names:
    """`BertForTokenClassification`."""
    table = rules(("output", "classifier"))
    return Names("bert.", BERT_ENCODER_RULES + table, ignored=BERT_BUFFERS + BERT_POOLER, renamed=BERT_RENAMED)


NAMES: dict[str, Callable[[TransformerConfig], Names]] = {
    "GPT2LMHeadModel": gpt2_names,
    "LlamaForCausalLM": llama_names,
    "MistralForCausalLM": llama_names,
    "BertModel": bert_names,
    "BertForMaskedLM": masked_bert_names,
    "BertForSequenceClassification": sequence_bert_names,
    "BertForTokenClassification": token_bert_names,
}


def pieces(names: Names, model: nn.Module, config: TransformerConfig) -> list[Piece]:
    """All tensors of a checkpoint, and where they lie in our model.

    Args:
        names: those of its architecture.
        model: ours; only the names and shapes of its parameters are looked at.
        config: the configuration of the model.

    Raises:
        ValueError: if the model has parameters that no rule names.
    """
    parameters = dict(model.named_parameters())
    found = []
    for rule in names.rules:
        for layer in range(config.n_layers if "{}" in rule.ours else 1):
            for kind in ("weight", "bias"):
                name = f"{rule.ours.format(layer)}.{kind}"
                if name in parameters:
                    found += _split(rule, layer, kind, name, len(parameters[name]), config)
    strange = sorted(parameters.keys() - {piece.ours for piece in found})
    if strange:
        raise ValueError(f"no checkpoint of this architecture has a place for {', '.join(strange)}")
    return found


def _split(rule: Rule, layer: int, kind: str, name: str, n_rows: int, config: TransformerConfig) -> list[Piece]:
    # Queries, keys and values have as many rows as their heads.
    shares = [config.n_heads, config.n_kv_heads, config.n_kv_heads] if len(rule.theirs) == 3 else [1]
    unit = n_rows // sum(shares)
    split, start = [], 0
    for theirs, share in zip(rule.theirs, shares, strict=True):
        rows = slice(start, start + share * unit)
        split.append(Piece(name, f"{theirs.format(layer)}.{kind}", rows, rule.transposed))
        start = rows.stop
    return split
