"""Probes of single bindings: stories cut before a word that nothing but the state of the world decides.

Who holds the ball, where Mia is, which colour the kite has: a model that has learnt the grammar knows that a name, a
place or a colour comes next, and one that keeps track of the world knows which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from minigpt.evaluation.intervals import Interval, wilson
from minigpt.evaluation.multiple_choice import MultipleChoice, score_choices
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer
from minigpt.village import Story
from minigpt.village.derivations import Path, Search
from minigpt.village.entropy import Estimate, ratio
from minigpt.village.generator import render
from minigpt.village.grammar import Slot
from minigpt.village.items import Item
from minigpt.village.stories import grammar

KINDS = {
    "who": "holder owner actor performer winner loser champion underdog more_of fewer_of",
    "what": "held_one",
    "where": "at spot belief nook",
    "colour": "colour",
}
"""Kind of probe to the functions of the state (`minigpt.village.relations`) that the grammar calls at such a point."""
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}


class Probe(NamedTuple):
    """A story cut before a word.

    Attributes:
        kind: `"who"`, `"what"`, `"where"` or `"colour"`.
        prompt: the story up to the word, without the space before it.
        answer: the word (or words, as in "in the garden") with which the story goes on.
        wrong: others of the same kind that the story has brought up, in the same form.
        rest: how the story goes on behind the answer.
    """

    kind: str
    prompt: str
    answer: str
    wrong: tuple[str, ...]
    rest: str

    @property
    def question(self) -> MultipleChoice:
        """The probe as a question; the right choice is the first one."""
        return MultipleChoice(self.prompt, (self.answer, *self.wrong), 0, self.kind)


def probes(story: Story) -> list[Probe]:
    """Every point of a story at which the state decides between words that the story has brought up.

    The grammar says where these are: it asks the state who holds a thing (or owns it, or has won), where something is
    or which colour it has, with one possible answer. Points at which a pronoun stands, or a word that begins a
    sentence, are left out.
    """
    asked = next(_asking(story.size).derivations(story.text)).guesses
    found = []
    for kind, start, piece, wrong in (point for point in asked if isinstance(point, _Asked)):
        if wrong and story.text[start - 1] == " " and story.text[start - 2] not in '.!?"':
            rest = story.text[start + len(piece) :]
            found.append(Probe(kind, story.text[: start - 1], piece, wrong, rest))
    return found


@dataclass(frozen=True)
class ProbeScores:
    """What a model makes of probes.

    Attributes:
        probes: what was asked.
        shares: of each, the probability of the answer as a share of that of all choices.
        nats: of each, minus the natural log of the probability of the answer.
        right: of each, 1 if the answer is likelier than all others, `1 / k` if `k` tie, else 0.
    """

    probes: tuple[Probe, ...]
    shares: tuple[float, ...]
    nats: tuple[float, ...]
    right: tuple[float, ...]

    @cached_property
    def accuracy(self) -> Interval:
        """The share of right answers, with Wilson's interval."""
        return wilson(math.fsum(self.right), len(self.right))

    @cached_property
    def loss(self) -> Estimate:
        """Mean of minus the log of `shares`, in nats: 0 for whoever knows, log 2 for a guess between two."""
        return ratio([-math.log(share) for share in self.shares], [1] * len(self.shares))

    @cached_property
    def word_loss(self) -> Estimate:
        """Mean of `nats`: that the model may expect another turn of the story at this point is in it."""
        return ratio(self.nats, [1] * len(self.nats))

    @property
    def guessing(self) -> tuple[float, float]:
        """The accuracy and the loss of a guess among the choices."""
        sizes = [1 + len(probe.wrong) for probe in self.probes]
        return math.fsum(1 / n for n in sizes) / len(sizes), math.fsum(map(math.log, sizes)) / len(sizes)

    def of_kind(self, kind: str) -> ProbeScores:
        """The scores of one kind of probe.

        Raises:
            ValueError: if there is none of this kind.
        """
        kept = [i for i, probe in enumerate(self.probes) if probe.kind == kind]
        if not kept:
            raise ValueError(f"kind={kind!r}: there is no such probe; kinds are {', '.join(KINDS)}")
        columns = (self.probes, self.shares, self.nats, self.right)
        return ProbeScores(*(tuple(column[i] for i in kept) for column in columns))


def score_probes(model: GPT, tokenizer: Tokenizer, asked: Sequence[Probe], *, batch_tokens: int = 8192) -> ProbeScores:
    """Ask a model what comes next at each probe.

    Args:
        model: a decoder.
        tokenizer: that of the model.
        asked: at least one probe.
        batch_tokens: how many tokens are read at once.

    Raises:
        ValueError: if there is no probe, or one is longer than the context.
    """
    if not asked:
        raise ValueError("there are no probes; give at least one")
    scores = score_choices(model, tokenizer, [probe.question for probe in asked], batch_tokens=batch_tokens)
    shares = []
    for score in scores:
        top = max(score.log_probs)
        weights = [math.exp(value - top) for value in score.log_probs]
        # The smallest positive float stands for a share that rounds to nothing, so that its logarithm exists.
        shares.append(max(weights[0] / math.fsum(weights), 5e-324))
    return ProbeScores(
        tuple(asked),
        tuple(shares),
        tuple(-score.log_probs[0] for score in scores),
        tuple(score.credit(0, "total") for score in scores),
    )


def spread(stories: Iterable[Story], n: int) -> list[Probe]:
    """At most `n` probes of each kind, the last one of its kind in each story, so that they hardly hang together.

    Raises:
        ValueError: if there is none in these stories.
    """
    found: dict[str, list[Probe]] = {kind: [] for kind in KINDS}
    for story in stories:
        for kind, probe in {probe.kind: probe for probe in probes(story)}.items():
            if len(found[kind]) < n:
                found[kind].append(probe)
    if not any(found.values()):
        raise ValueError(f"n={n}: there are no probes in these stories; give more of both")
    return [probe for kept in found.values() for probe in kept]


@cache
def _asking(size: str) -> _Asking:
    return _Asking(size)


class _Asked(NamedTuple):
    kind: str
    start: int
    piece: str
    wrong: tuple[str, ...]


class _Asking(Search):
    """Finds the derivation of a text, and on the way notes where the grammar asks the state."""

    def __init__(self, size: str) -> None:
        super().__init__(grammar(size))

    def _guess(self, path: Path, node: Slot, item: Item, candidates: list[Item]) -> None:
        kind = _KIND_OF.get(node.expression.name)
        if kind is None or len(candidates) > 1 or node.form not in item.forms:
            return
        piece = render(node.form, item, path.state)
        others = [render(node.form, other, path.state) for other in path.state.known(item.kind) if other is not item]
        wrong = tuple(dict.fromkeys(other for other in others if other != piece))
        path.guesses = (_Asked(kind, path.position, piece, wrong), path.guesses)
