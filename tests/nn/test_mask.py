"""Masks: who may look at whom, counted by hand."""

import pytest
import torch

from minigpt.nn import causal_mask, document_mask, document_positions, padding_mask


@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 1), (4, 4), (3, 7), (1, 5)])
@pytest.mark.parametrize("window", [None, 1, 2, 10])
def test_a_query_sees_its_own_key_and_those_before_it(n_queries, n_keys, window):
    mask = causal_mask(n_queries, n_keys, window=window)
    for i in range(n_queries):
        position = n_keys - n_queries + i  # the queries are the last of the positions
        first = 0 if window is None else max(0, position - window + 1)
        assert mask[i].nonzero().flatten().tolist() == list(range(first, position + 1))


def test_a_square_is_the_lower_triangle():
    assert torch.equal(causal_mask(6), torch.ones(6, 6).tril().bool())


def test_a_few_queries_see_what_the_last_rows_of_the_square_see():
    assert torch.equal(causal_mask(2, 9, window=4), causal_mask(9, window=4)[-2:])


def test_padding_is_seen_by_no_query_of_any_head():
    is_token = torch.tensor([[True, True, False], [False, True, True]])
    mask = padding_mask(is_token)
    assert mask.shape == (2, 1, 1, 3)
    assert torch.equal(mask.expand(2, 5, 4, 3)[:, 3, 2], is_token)


def test_numbers_are_no_mask(without_shape_checks):
    with pytest.raises(TypeError, match=r"is torch.int64, expected torch.bool: True for tokens; call .bool\(\)"):
        padding_mask(torch.tensor([[1, 1, 0]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_queries": 0}, "n_queries=0 must be at least 1"),
        ({"n_queries": 5, "n_keys": 4}, "n_queries=5 must be at least 1 and at most n_keys=4"),
        ({"n_queries": 5, "window": 0}, "window=0 must be at least 1: a query sees its own key"),
    ],
)
def test_impossible_masks_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        causal_mask(**arguments)


def test_documents_do_not_see_each_other():
    documents = torch.tensor([[0, 0, 1, 1, 1, 2], [4, 4, 4, 4, 4, 4]])
    mask = document_mask(documents)
    assert mask.shape == (2, 1, 6, 6)
    assert mask[0, 0].tolist() == [[int(documents[0, i]) == int(documents[0, j]) for j in range(6)] for i in range(6)]
    assert mask[1].all()


def test_positions_begin_again_in_each_document():
    documents = torch.tensor([[0, 0, 1, 1, 1, 2], [4, 4, 4, 4, 4, 4], [0, 1, 0, 0, 2, 2]])
    expected = [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 0, 1]]
    assert document_positions(documents).tolist() == expected
