"""What the tests of the tokenizers share."""

import os

import pytest
from hypothesis import settings

from minigpt.tokenizers import BPETokenizer

# An example may take long on a busy machine; that says nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

CORPUS = (
    "low lower lowest, newer and wider; the widest is the lowest. I'll say it's the newest, and we've seen wider.\n",
    "naïve café 😀😀 👩‍👩‍👧 — «été» 日本語。\n\n\tdef f(x):\r\n    return x[1:2345] == '12 345'\n",
    "The lowest of the newest\u00a0things… don't, can't, won't\x1c\x00 e\u0301a\u0308",
)


@pytest.fixture(scope="session")
def gpt2_like():
    """A small tokenizer with the pattern of GPT-2."""
    return BPETokenizer.train(CORPUS, 340, pattern="gpt2", special_tokens=["<|endoftext|>", "<|end|>"])


@pytest.fixture(scope="session")
def cl100k_like():
    """A small tokenizer with the pattern of cl100k."""
    return BPETokenizer.train(CORPUS, 340, pattern="cl100k", special_tokens=["<|endoftext|>", "<|end|>"])


@pytest.fixture(params=["gpt2_like", "cl100k_like"])
def small(request):
    """Each of the two small tokenizers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def published():
    """A function from a name to a published vocabulary of tiktoken, where its cache holds them."""
    if not os.environ.get("TIKTOKEN_CACHE_DIR"):
        pytest.skip("TIKTOKEN_CACHE_DIR does not say where tiktoken keeps the published vocabularies")
    return pytest.importorskip("tiktoken").get_encoding
