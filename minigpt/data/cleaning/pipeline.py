"""The pipeline: stages in a row, what each let through, and why it threw out the rest.

Documents stream: one is read, goes through all stages, and comes out or does not, before the next is read. What stays
in memory is what stages keep of documents that have passed (a few bytes of each), not texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from minigpt.data.cleaning.document import Document, Rejection, Stage


@dataclass
class Passage:
    """What one stage did.

    Attributes:
        name: the name of the stage.
        seen: documents that came to it.
        kept: documents that went on.
        changed: those of them whose text it changed.
        characters_seen: characters that came.
        characters_kept: characters that went on.
        reasons: how many it threw out, by reason.
    """

    name: str
    seen: int = 0
    kept: int = 0
    changed: int = 0
    characters_seen: int = 0
    characters_kept: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """What happened on the way: a `Passage` for each stage, and which documents were thrown out where.

    As a string it is a table: documents in and out, the share of their characters that went on, the main reason.

    Attributes:
        passages: by stage, in order.
        rejected: the number of each document that was thrown out, with the stage and the reason.
    """

    passages: list[Passage]
    rejected: dict[int, tuple[str, Rejection]] = field(default_factory=dict)

    def __str__(self) -> str:
        width = max(len(passage.name) for passage in self.passages)
        lines = [f"{'stage':<{width}}       in      out   text  most frequent reason"]
        for passage in self.passages:
            share = passage.characters_kept / max(1, passage.characters_seen)
            reason = "".join(f"{reason} {count:,}" for reason, count in passage.reasons.most_common(1))
            row = f"{passage.name:<{width}} {passage.seen:>8,} {passage.kept:>8,} {share:>6.1%}  {reason}"
            lines.append(row.rstrip())
        return "\n".join(lines)


class Pipeline:
    """Stages in a row.

    Args:
        stages: each stage by its name, in the order in which documents pass. Some stages remember what they have seen:
            a pipeline is for one corpus.

    Attributes:
        report: what happened so far.

    Raises:
        ValueError: if there is no stage.
    """

    def __init__(self, stages: Mapping[str, Stage]) -> None:
        if not stages:
            raise ValueError("a pipeline needs at least one stage")
        self.stages = dict(stages)
        self.report = Report([Passage(name) for name in self.stages])
        self._read = 0

    def run(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents that pass, one after the other; each gets its place among all as its number, from 0."""
        flow: Iterable[Document] = self._numbered(documents)
        for passage, stage in zip(self.report.passages, self.stages.values(), strict=True):
            flow = self._through(flow, stage, passage)
        yield from flow

    def _numbered(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            yield document._replace(number=self._read)
            self._read += 1

    def _through(
        self, documents: Iterable[Document], stage: Callable[[Document], Document | Rejection], passage: Passage
    ) -> Iterator[Document]:
        for document in documents:
            passage.seen += 1
            passage.characters_seen += len(document.text)
            result = stage(document)
            if isinstance(result, Rejection):
                passage.reasons[result.reason] += 1
                self.report.rejected[document.number] = (passage.name, result)
                continue
            passage.kept += 1
            passage.changed += result.text is not document.text
            passage.characters_kept += len(result.text)
            yield result


def precision_and_recall(found: Iterable[int], true: Iterable[int]) -> tuple[float, float]:
    """How well a set of documents was found.

    Args:
        found: numbers of the documents that were kept (or, turned round, that a stage threw out).
        true: numbers of the documents that ought to have been.

    Returns:
        Precision, the share of what was found that is true, and recall, the share of what is true that was found; not a
        number where there is nothing to take a share of.
    """
    found, true = set(found), set(true)
    both = len(found & true)
    return both / len(found) if found else float("nan"), both / len(true) if true else float("nan")
