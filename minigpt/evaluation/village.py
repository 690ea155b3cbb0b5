"""A model measured on the village, of which everything is known: against the true entropy, and by what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from minigpt.evaluation.intervals import Interval, wilson
from minigpt.evaluation.perplexity import CorpusLoss, perplexity
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer
from minigpt.village import ParseError, Story, contradictions
from minigpt.village.entropy import Estimate, ratio

SEED = 4_000_000_000
"""Seed of the stories that models are measured on; train on others."""


@dataclass(frozen=True)
class Excess:
    """A model's loss on stories above the least that is possible.

    The mean of `log p_true(story) - log p_model(story)` over stories from the village is the Kullback-Leibler
    divergence of the model from the truth. Both logarithms are known for each story, so it is estimated story by story:
    what makes a story long or surprising is in both and cancels, and the interval is narrow.

    Attributes:
        loss: what the stories cost the model.
        true_nats: minus the natural log of the true probability of each story.
        without_state: the same for a reader who knows the grammar and not the state of the world, or `None`.
    """

    loss: CorpusLoss
    true_nats: tuple[float, ...]
    without_state: tuple[float, ...] | None = None

    @cached_property
    def differences(self) -> tuple[float, ...]:
        """Nats above the truth, story by story."""
        return tuple(d.nats - true for d, true in zip(self.loss.documents, self.true_nats, strict=True))

    @property
    def per_story(self) -> Estimate:
        """Nats above the true entropy, a story: the Kullback-Leibler divergence."""
        return ratio(self.differences, [1] * len(self.differences))

    @property
    def per_token(self) -> Estimate:
        """Nats above the true entropy, a token."""
        return ratio(self.differences, [d.tokens for d in self.loss.documents])

    @property
    def share(self) -> Estimate:
        """The excess as a share of the true entropy: 0.05 is five percent above it."""
        return ratio(self.differences, self.true_nats)

    @property
    def plateau(self) -> Estimate | None:
        """The share of the reader without the state: where a model stands that has learnt no more than the grammar."""
        if self.without_state is None:
            return None
        excess = [free - true for free, true in zip(self.without_state, self.true_nats, strict=True)]
        return ratio(excess, self.true_nats)

    @property
    def of_plateau(self) -> Estimate | None:
        """The excess as a share of that reader's: 1 is the plateau, 0 the truth."""
        if self.without_state is None:
            return None
        return ratio(
            self.differences, [free - true for free, true in zip(self.without_state, self.true_nats, strict=True)]
        )


def excess(
    model: GPT,
    tokenizer: Tokenizer,
    stories: Iterable[Story],
    *,
    without_state: bool = False,
    batch_tokens: int = 8192,
) -> Excess:
    """Measure a model's loss on stories against their true probability.

    Args:
        model: a decoder.
        tokenizer: that of the model; it must know every word of the stories.
        stories: what to measure on, such as `minigpt.village.stories(500, SEED, "hamlet")`: stories that the model was
            not trained on.
        without_state: whether to score the reader without the state too (some 4 ms a story).
        batch_tokens: how many tokens are read at once.

    Raises:
        ValueError: if there is no story, or the tokenizer does not give one back as it is.
    """
    told = list(stories)
    loss = perplexity(model, tokenizer, (story.text for story in told), batch_tokens=batch_tokens)
    if loss.inexact:
        raise ValueError(
            f"the tokenizer does not give back {loss.inexact} of {len(told)} stories, so their loss is that of other "
            "texts; measure on stories of the size that the model was trained on (hamlet, village or town), or train "
            "it on more of them"
        )
    free = tuple(-story.log_prob_without_state for story in told) if without_state else None
    return Excess(loss, tuple(-story.log_prob for story in told), free)


@dataclass(frozen=True)
class WrittenStory:
    """What became of one text that should be a story.

    Attributes:
        text: the text.
        is_grammatical: whether it follows a plot of the village from its first character to its last.
        is_true: whether it also says nothing that the state of the world rules out.
        problem: where it fails first, or `""`.
    """

    text: str
    is_grammatical: bool
    is_true: bool
    problem: str = ""


@dataclass(frozen=True)
class WrittenStories:
    """What became of texts that should be stories: `stories` has them one by one."""

    stories: tuple[WrittenStory, ...]

    @property
    def grammatical(self) -> Interval:
        """The share that follows a plot, with Wilson's interval; texts on which the reader gave up are not among it."""
        return wilson(sum(story.is_grammatical for story in self.stories), len(self.stories))

    @property
    def true(self) -> Interval:
        """The share, of all texts, that follows a plot and contradicts itself nowhere."""
        return wilson(sum(story.is_true for story in self.stories), len(self.stories))

    @property
    def distinct(self) -> float:
        """The share of texts that are not the copy of one before: writing one story again and again earns nothing."""
        return len({story.text for story in self.stories}) / len(self.stories)


def judge(texts: Sequence[str], size: str = "village", *, limit: int = 10_000) -> WrittenStories:
    """Read texts as stories of the village, and find where they leave its grammar or contradict themselves.

    Args:
        texts: what a model wrote, without `<|endoftext|>`; at least one.
        size: `"hamlet"`, `"village"` or `"town"`.
        limit: steps after which the reader gives up on a text (half a second by default). What is true is found in far
            fewer, so the limit decides no more than whether a text with many faults counts as grammatical.

    Raises:
        ValueError: if there is no text, or the size is unknown.
    """
    if not texts:
        raise ValueError("there are no texts to judge; give at least one")
    return WrittenStories(tuple(_judged(text, size, limit) for text in texts))


def _judged(text: str, size: str, limit: int) -> WrittenStory:
    try:
        found = contradictions(text, size, limit=limit)
    except ParseError as error:
        return WrittenStory(text, False, False, str(error))
    problem = f"at {found[0].position}: {found[0].sentence!r}, but {found[0].reason}" if found else ""
    return WrittenStory(text, True, not found, problem)
