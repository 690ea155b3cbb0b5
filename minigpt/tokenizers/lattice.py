"""All ways to cut a text into pieces, as a graph: places in the text are its nodes, pieces its edges.

Three questions to it are answered from left to right: which path is the best one, which are the `n` best, and what is
a random path like.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from heapq import nlargest
from operator import itemgetter
from typing import Any, NamedTuple


class Edge(NamedTuple):
    """A piece of a text."""

    start: int
    end: int
    token_id: int | None
    """`None` for a character that is no piece."""
    score: float


class Trie:
    """Pieces by their first character, these by their second, and so on.

    Args:
        pieces: piece to id and score.
        unknown_score: of a character that is no piece by itself.
    """

    def __init__(self, pieces: Mapping[str, tuple[int, float]], unknown_score: float) -> None:
        self.unknown_score = unknown_score
        self._root: dict[str, Any] = {}
        for piece, value in pieces.items():
            node = self._root
            for char in piece:
                node = node.setdefault(char, {})
            node[""] = value

    def edges(self, text: str, start: int) -> Iterator[Edge]:
        """The pieces of a text that begin at `start`, shortest first, and a stand-in if one character is none."""
        node = self._root
        single = False
        for end in range(start, len(text)):
            node = node.get(text[end])
            if node is None:
                break
            if "" in node:
                single = single or end == start
                yield Edge(start, end + 1, *node[""])
        if not single:
            yield Edge(start, start + 1, None, self.unknown_score)


def best_path(trie: Trie, text: str) -> list[Edge]:
    """The path with the largest sum of scores (Viterbi); of equal ones, the one whose last piece begins first."""
    best = [0.0, *[-math.inf] * len(text)]
    arrived: list[Edge | None] = [None] * (len(text) + 1)
    for start in range(len(text)):
        for edge in trie.edges(text, start):
            score = best[start] + edge.score
            if score > best[edge.end]:
                best[edge.end] = score
                arrived[edge.end] = edge
    path: list[Edge] = []
    end = len(text)
    while end:
        path.append(arrived[end])
        end = path[-1].start
    return path[::-1]


def best_paths(trie: Trie, text: str, n: int) -> list[tuple[float, list[Edge]]]:
    """The `n` paths with the largest sums of scores, best first, each with its sum."""
    # A path is the pair of the path before its last edge and that edge, so that paths share their beginnings.
    arrived: list[list[tuple[float, Any]]] = [[(0.0, None)], *[[] for _ in text]]
    for start in range(len(text)):
        here = nlargest(n, arrived[start], key=itemgetter(0))
        for edge in trie.edges(text, start):
            arrived[edge.end] += [(score + edge.score, (path, edge)) for score, path in here]
    found = []
    for score, path in nlargest(n, arrived[-1], key=itemgetter(0)):
        edges: list[Edge] = []
        while path:
            path, edge = path
            edges.append(edge)
        found.append((score, edges[::-1]))
    return found


def random_path(trie: Trie, text: str, rng: random.Random, alpha: float) -> list[Edge]:
    """A path drawn with probability in proportion to `exp(alpha * sum of scores)`.

    Forward, the log of the summed weight of all paths to each place; then backward, from the end, one edge after the
    other, each in proportion to the weight of the paths that arrive by it.
    """
    total = [0.0, *[-math.inf] * len(text)]
    arrived: list[list[tuple[float, Edge]]] = [[] for _ in total]
    for start in range(len(text)):
        if start:
            top = max(weight for weight, _ in arrived[start])
            total[start] = top + math.log(math.fsum(math.exp(weight - top) for weight, _ in arrived[start]))
        for edge in trie.edges(text, start):
            arrived[edge.end].append((total[start] + alpha * edge.score, edge))
    path: list[Edge] = []
    end = len(text)
    while end:
        top = max(weight for weight, _ in arrived[end])
        weights = [math.exp(weight - top) for weight, _ in arrived[end]]
        target = rng.random() * math.fsum(weights)
        chosen = 0
        while chosen < len(weights) - 1 and target >= weights[chosen]:
            target -= weights[chosen]
            chosen += 1
        path.append(arrived[end][chosen][1])
        end = path[-1].start
    return path[::-1]
