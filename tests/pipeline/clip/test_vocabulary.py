from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline.clip.vocabulary import NUM_BASE_TOKENS, NUM_SPECIAL_TOKENS, learn_merges, load_tokenizer, write_merges
from schemas import ConfigError

TEXTS = ["A red circle moves left.", "A red square moves right; the camera pans.", "Two circles and a square."]


def test_every_learnt_word_is_one_token(tmp_path: Path) -> None:
    write_merges(tmp_path / "merges.txt.gz", learn_merges(TEXTS, 1000))
    tokenizer = load_tokenizer(tmp_path / "merges.txt.gz", context_length=16)
    assert len(tokenizer.encode("red circle moves right")) == 4
    assert tokenizer.decode(tokenizer.encode("camera circles")) == "camera circles "


def test_the_vocabulary_has_a_token_for_each_merge_and_no_other(tmp_path: Path) -> None:
    merges = learn_merges(TEXTS, 1000)
    write_merges(tmp_path / "merges.txt.gz", merges)
    tokenizer = load_tokenizer(tmp_path / "merges.txt.gz", context_length=16)
    assert tokenizer.vocab_size == NUM_BASE_TOKENS + len(merges) + NUM_SPECIAL_TOKENS
    assert tokenizer.eot_token_id == tokenizer.vocab_size - 1


def test_words_never_seen_are_spelt(tmp_path: Path) -> None:
    write_merges(tmp_path / "merges.txt.gz", learn_merges(TEXTS, 1000))
    tokenizer = load_tokenizer(tmp_path / "merges.txt.gz", context_length=16)
    assert tokenizer.decode(tokenizer.encode("żółw 🐢")) == "żółw 🐢 "


def test_merging_stops_at_the_limit_and_is_the_same_each_time(tmp_path: Path) -> None:
    assert len(learn_merges(TEXTS, 7)) == 7
    assert learn_merges(TEXTS, 1000) == learn_merges(list(reversed(TEXTS)), 1000)
    for name in ("a", "b"):
        write_merges(tmp_path / name, learn_merges(TEXTS, 50))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"not packed", id="plain"),
        pytest.param(gzip.compress(b"#version\na b c\n"), id="three pieces"),
        pytest.param(gzip.compress(b"\xff\xfe"), id="no text"),
        pytest.param(gzip.compress(b"a b\n" * 2**22), id="a bomb"),
        pytest.param(gzip.compress(b"a b\n" * 99)[:-12], id="cut off"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "merges.txt.gz").write_bytes(data)
    with pytest.raises(ConfigError, match=r"merges.txt.gz: is not a vocabulary"):
        load_tokenizer(tmp_path / "merges.txt.gz")
