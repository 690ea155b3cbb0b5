"""Words and characters: what they keep, what they lose, and how they say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.tokenizers import CharTokenizer, TokenizerError, WordTokenizer


def tokens_of(tokenizer, text):
    return [tokenizer.tokens[i] for i in tokenizer.encode(text)]


def knowing(text):
    return WordTokenizer.train([text])


class TestWords:
    def test_implied_spaces_cost_no_token(self):
        sentence = "Do you plan to take over the world?"
        expected = ["Do", "you", "plan", "to", "take", "over", "the", "world", "?"]
        assert tokens_of(knowing(sentence), sentence) == expected

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("don't it’s 'tis", ["don't", "it’s", " ", "'", "tis"]),
            ("a (b) [c]: d", ["a", "(", "b", ")", "[", "c", "]", ":", "d"]),
            ("3.14", ["3", ".", "<join>", "14"]),
            ("well-known", ["well", "-", "known"]),
            ("a  b", ["a", " ", " ", "b"]),
            (" a ", [" ", "a", " "]),
            ("a\nb", ["a", "\n", "b"]),
            ("a ,b", ["a", " ", ",", "<join>", "b"]),
            ('he said: "no"', ["he", "said", ":", " ", '"', "no", '"']),
            ("snake_case x2", ["snake_case", "x2"]),
        ],
    )
    def test_the_rule_for_spaces(self, text, tokens):
        assert tokens_of(knowing(text), text) == tokens

    @given(st.text() | st.text(alphabet="ab,.(\"' \n_<>"))
    def test_every_text_of_known_pieces_comes_back(self, text):
        if text:
            tokenizer = knowing(text)
            assert tokenizer.decode(tokenizer.encode(text)) == text

    @given(st.text(alphabet="abc,.(' \n"))
    def test_what_is_unknown_comes_back_as_its_name_and_the_rest_as_it_was(self, text):
        tokenizer = WordTokenizer.train(["a b c , . ( ' \n"])
        known = {"a", "b", "c"}
        expected, word = "", ""
        for i, char in enumerate(text):
            # Words of this alphabet are runs of letters with single apostrophes between them.
            inner = char == "'" and word and text[i + 1 : i + 2].isalpha()
            if char.isalpha() or inner:
                word += char
                continue
            expected += (word if word in known or not word else "<unk>") + char
            word = ""
        expected += word if word in known or not word else "<unk>"
        assert tokenizer.decode(tokenizer.encode(text)) == expected

    def test_an_unknown_word_has_the_id_of_unk(self):
        tokenizer = WordTokenizer.train(["the cat"])
        assert tokens_of(tokenizer, "the dog") == ["the", "<unk>"]
        assert tokenizer.unk_id == 0
        assert tokenizer.decode(tokenizer.encode("the dog, the cat")) == "the <unk><unk> the cat"

    def test_frequent_words_come_first_and_rare_ones_are_left_out(self):
        texts = ["b a b c", "a b d"]
        assert WordTokenizer.train(texts).tokens == ("<unk>", "<join>", " ", "b", "a", "c", "d")
        assert WordTokenizer.train(texts, 5).tokens == ("<unk>", "<join>", " ", "b", "a")
        assert WordTokenizer.train(texts, min_count=2, special_tokens=["<s>"]).tokens[3:] == ("b", "a", "<s>")

    def test_a_text_may_spell_the_reserved_names(self):
        tokenizer = knowing("<unk> <join> unk join")
        for name in ("<unk>", "<join>"):
            ids = tokenizer.encode(name)
            assert tokenizer.token_to_id(name) not in ids
            assert tokenizer.decode(ids) == name

    def test_the_join_has_no_bytes(self):
        tokenizer = knowing("3.14")
        assert [tokenizer.token_bytes(i) for i in tokenizer.encode("3.14")] == [b"3", b".", b"", b"14"]

    def test_a_vocabulary_without_the_fixed_tokens_is_refused(self):
        with pytest.raises(TokenizerError, match="needs the token '<join>'"):
            WordTokenizer(["<unk>", " ", "a"])


class TestCharacters:
    @given(st.text(min_size=1))
    def test_every_text_of_known_characters_comes_back_with_one_token_each(self, text):
        tokenizer = CharTokenizer.train([text])
        ids = tokenizer.encode(text)
        assert len(ids) == len(text)
        assert tokenizer.decode(ids) == text

    def test_ids_follow_the_code_points(self):
        assert CharTokenizer.train(["hello"]).tokens == ("e", "h", "l", "o")

    def test_an_unknown_character_is_an_error_that_names_it(self):
        with pytest.raises(TokenizerError, match=r"character 'z' at position 3 is not among the 4.*unknown='replace'"):
            CharTokenizer.train(["hello"]).encode("helz")

    def test_or_it_becomes_unk_on_request(self):
        tokenizer = CharTokenizer.train(["hello"], unknown="replace")
        assert tokenizer.encode("hez") == [2, 1, 0]
        assert tokenizer.decode([2, 1, 0]) == "he<unk>"

    def test_the_most_frequent_characters_are_kept(self):
        assert CharTokenizer.train(["aabbbcd"], 4, unknown="replace").tokens == ("<unk>", "a", "b", "c")
        assert CharTokenizer.train(["aabbbcd"], min_count=2).tokens == ("a", "b")
        assert CharTokenizer.train(["aabbbcd"], 3, special_tokens=["<s>"]).tokens == ("a", "b", "<s>")

    def test_wrong_arguments_are_explained(self):
        with pytest.raises(TokenizerError, match="unknown='drop' is not known"):
            CharTokenizer.train(["a"], unknown="drop")
        with pytest.raises(TokenizerError, match="'ab', is not one character"):
            CharTokenizer(["a", "ab"])
