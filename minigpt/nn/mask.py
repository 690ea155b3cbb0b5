"""Masks: which query may look at which key. `True` where it may."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def causal_mask(
    n_queries: int,
    n_keys: int | None = None,
    *,
    window: int | None = None,
    device: torch.device | str | None = None,
) -> Bool[Tensor, "n_queries n_keys"]:
    """Each query sees its own key and those before it. The queries are the last `n_queries` of the `n_keys` positions.

    Args:
        n_queries: number of queries, at least 1.
        n_keys: number of keys, at least `n_queries`; by default as many.
        window: how many keys a query sees at the most, its own included; by default all before it (Beltagy et al.,
            2020, for windows; Mistral 7B has 4,096).
        device: where the mask is wanted.

    Raises:
        ValueError: if there are fewer keys than queries, or the window is smaller than 1.
    """
    n_keys = n_queries if n_keys is None else n_keys
    if not 1 <= n_queries <= n_keys:
        raise ValueError(f"n_queries={n_queries} must be at least 1 and at most n_keys={n_keys}")
    if window is not None and window < 1:
        raise ValueError(f"window={window} must be at least 1: a query sees its own key")
    query = torch.arange(n_keys - n_queries, n_keys, device=device).unsqueeze(1)
    key = torch.arange(n_keys, device=device)
    mask = key <= query
    return mask if window is None else mask & (key > query - window)


def padding_mask(is_token: Bool[Tensor, "batch keys"]) -> Bool[Tensor, "batch 1 1 keys"]:
    """No query sees a key that is padding.

    Args:
        is_token: `True` for tokens, `False` for padding.

    Raises:
        TypeError: if `is_token` is no boolean tensor. Numbers would be added to the scores, not hide them.
    """
    if is_token.dtype != torch.bool:
        raise TypeError(f"the padding mask is {is_token.dtype}, expected torch.bool: True for tokens; call .bool()")
    return is_token[:, None, None, :]


def document_mask(documents: Int[Tensor, "batch time"]) -> Bool[Tensor, "batch 1 time time"]:
    """Each query sees the keys of its own document and no others: blocks along the diagonal.

    Args:
        documents: a number for each position, the same within a document and another one in the next.
    """
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def document_positions(documents: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """The position of each token in its document, from 0, where several documents stand in a row.

    Args:
        documents: a number for each position, the same within a document and another one in the next.
    """
    place = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return place - torch.where(begins, place, 0).cummax(dim=1).values
