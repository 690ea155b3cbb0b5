"""Text as it is written: pieces of it, each as soon as nothing that follows can change it."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from minigpt.files import END_OF_TEXT
from minigpt.generation.generate import steps
from minigpt.generation.stop import StopStrings
from minigpt.models import GPT
from minigpt.tokenizers import Tokenizer

# A character of UTF-8 has at most four bytes, so that more than three tokens never wait for one.
_LONGEST_WAIT = 3


@dataclass(frozen=True)
class Completion:
    """What was written behind a prompt.

    Attributes:
        text: the new text, without prompt, end token and (unless it was to be kept) stop string.
        ids: the new ids, with the end token and all of a stop string.
        reason: why it ends: `"end"` with the end token, `"stop"` with a stop string, `"length"` because there was no
            room for more.
    """

    text: str
    ids: tuple[int, ...]
    reason: Literal["end", "stop", "length"]


class TextStream:
    """Ids in, text out: complete characters that cannot be part of a stop string any more.

    Args:
        tokenizer: what the ids mean.
        prompt: ids before the first; where spaces between words are implied, the last of them matters.
        stop: strings that end the text.
        keep_stop: whether the stop string is part of the text.
        end: ids that end the text, of which nothing is shown.
    """

    reason: Literal["end", "stop", "length"]
    """Why the text ends, if it ends now: `"length"` as long as neither token nor string has ended it."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt: Sequence[int] = (),
        *,
        stop: StopStrings | Iterable[str] = (),
        keep_stop: bool = False,
        end: Collection[int] = (),
    ) -> None:
        self._tokenizer, self._keep_stop, self._end = tokenizer, keep_stop, frozenset(end)
        self._stop = stop if isinstance(stop, StopStrings) else StopStrings(stop)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace") if tokenizer.joins_bytes else None
        self._shown, self._waiting = list(prompt[-1:]), []
        self._held = ""
        self.reason = "length"

    @property
    def finished(self) -> bool:
        """Whether a token or a string has ended the text."""
        return self.reason != "length"

    def push(self, token_id: int) -> str:
        """Add a token; returns the text that is certain with it, often empty.

        Raises:
            ValueError: if the text has ended already.
        """
        if self.finished:
            raise ValueError(f"the text has ended ({self.reason}); make another TextStream for another text")
        if token_id in self._end:
            self.reason = "end"
            return self._emit(self._rest(), final=True)
        return self._emit(self._decode(token_id), final=False)

    def close(self) -> str:
        """The text that was held back, when no token follows; nothing if the text has ended by itself."""
        return "" if self.finished else self._emit(self._rest(), final=True)

    def _emit(self, piece: str, *, final: bool) -> str:
        text = self._held + piece
        match = self._stop.find(text)
        if match is not None:
            self.reason, self._held = "stop", ""
            return text[: match.end if self._keep_stop else match.start]
        certain = len(text) - (0 if final else self._stop.held(text))
        self._held = text[certain:]
        return text[:certain]

    def _decode(self, token_id: int) -> str:
        if self._utf8 is not None:
            return self._utf8.decode(self._tokenizer.token_bytes(token_id))
        self._waiting.append(token_id)
        text = self._pending()
        if text.endswith("\N{REPLACEMENT CHARACTER}") and len(self._waiting) <= _LONGEST_WAIT:
            return ""
        self._shown, self._waiting = self._waiting[-1:], []
        return text

    def _rest(self) -> str:
        return self._utf8.decode(b"", True) if self._utf8 is not None else self._pending()

    def _pending(self) -> str:
        # What a token adds depends on the one before it (an implied space), and on no more.
        shown = self._tokenizer.decode(self._shown)
        return self._tokenizer.decode(self._shown + self._waiting)[len(shown) :]


def stream(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str,
    n_tokens: int,
    *,
    stop: StopStrings | Iterable[str] = (),
    keep_stop: bool = False,
    **options: Any,
) -> Iterator[str]:
    """Continue a prompt, piece by piece; the pieces, joined, are the text of `complete`.

    Args:
        model: what gives the logits.
        tokenizer: the one that the model was trained with.
        prompt: text; the end-of-text token is put before it, where the tokenizer has one.
        n_tokens: at least 1.
        stop: strings that end the text.
        keep_stop: whether the stop string is part of the text.
        options: `sampling`, `seed`, `overflow`, `window`, `use_cache` as in `generate`.
    """
    ids, end = prompt_ids(tokenizer, prompt), end_ids(tokenizer)
    text = TextStream(tokenizer, ids, stop=stop, keep_stop=keep_stop, end=end)
    pieces: list[str] = []

    def ends(row: int, token: int) -> bool:
        pieces.append(text.push(token))
        return text.finished

    for _ in steps(model, [ids], n_tokens, ends=ends, **options):
        if pieces[-1]:
            yield pieces[-1]
    if rest := text.close():
        yield rest


def complete(
    model: GPT,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    n_tokens: int,
    *,
    stop: StopStrings | Iterable[str] = (),
    keep_stop: bool = False,
    **options: Any,
) -> list[Completion]:
    """Continue several prompts at once, until the end-of-text token, a stop string, or `n_tokens` tokens.

    Args:
        model: what gives the logits.
        tokenizer: the one that the model was trained with.
        prompts: texts, of any lengths; `""` for a new text. For several continuations of one, give it several times.
        n_tokens: at least 1.
        stop: strings that end a text.
        keep_stop: whether the stop string is part of the text.
        options: `sampling`, `seed`, `overflow`, `window`, `use_cache` as in `generate`.
    """
    if isinstance(prompts, str):
        raise ValueError("prompts is one str; give a list of prompts, as [prompt]")
    stops = stop if isinstance(stop, StopStrings) else StopStrings(stop)
    rows, end = [prompt_ids(tokenizer, prompt) for prompt in prompts], end_ids(tokenizer)
    texts = [TextStream(tokenizer, ids, stop=stops, keep_stop=keep_stop, end=end) for ids in rows]
    pieces: list[list[str]] = [[] for _ in rows]
    new: list[list[int]] = [[] for _ in rows]

    def ends(row: int, token: int) -> bool:
        new[row].append(token)
        pieces[row].append(texts[row].push(token))
        return texts[row].finished

    for _ in steps(model, rows, n_tokens, ends=ends, **options):
        pass
    return [
        Completion("".join([*parts, text.close()]), tuple(ids), text.reason)
        for parts, text, ids in zip(pieces, texts, new, strict=True)
    ]


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The ids of a prompt, behind the end-of-text token, where the tokenizer has one.

    Raises:
        ValueError: if that leaves no id at all.
    """
    ids = end_ids(tokenizer) + tokenizer.encode(prompt)
    if not ids:
        raise ValueError(f"the prompt is empty, and the tokenizer has no {END_OF_TEXT} to begin a text with")
    return ids


def end_ids(tokenizer: Tokenizer) -> list[int]:
    """The ids that end a text: that of the end-of-text token, where the tokenizer has one."""
    return [tokenizer.special_tokens[END_OF_TEXT]] if END_OF_TEXT in tokenizer.special_tokens else []
