"""Small vocabularies for text: byte-pair merges in the form that open_clip's tokenizer reads."""

from __future__ import annotations

import gzip
import io
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas import ConfigError

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

_HEADER = "#version: 0.2"
_MAX_BYTES = 2**23
"""A larger vocabulary, unpacked, is refused; OpenAI's has 3 MB."""
NUM_BASE_TOKENS = 512
"""Every byte, within a word and at its end."""
NUM_SPECIAL_TOKENS = 2


def learn_merges(texts: Iterable[str], max_merges: int) -> list[tuple[str, str]]:
    """Learn byte-pair merges, the most frequent pair first, until each word is one token or there are enough.

    Ties go to the pair that sorts first, so that the same texts give the same merges.

    Source: Sennrich et al., "Neural machine translation of rare words with subword units", algorithm 1.
    """
    from pipeline.clip.borrowed import SimpleTokenizer

    splitter = SimpleTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(splitter.pat.findall(splitter.clean_fn(text)))
    words: dict[tuple[str, ...], int] = {}
    for word, count in counts.items():
        letters = [splitter.byte_encoder[byte] for byte in word.encode()]
        words[(*letters[:-1], letters[-1] + "</w>")] = count
    merges: list[tuple[str, str]] = []
    while len(merges) < max_merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in words.items():
            for pair in itertools.pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {_merged(symbols, best): count for symbols, count in words.items()}
    return merges


def _merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def write_merges(path: Path, merges: Iterable[tuple[str, str]]) -> None:
    """Write merges so that the same ones give the same bytes."""
    lines = [_HEADER, *(" ".join(pair) for pair in merges)]
    with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        packed.write("\n".join(lines).encode())


def load_tokenizer(path: Path, **options: Any) -> SimpleTokenizer:
    """open_clip's tokenizer with the merges of a file.

    Args:
        path: What `write_merges` wrote, or OpenAI's own vocabulary.
        options: Of open_clip's `SimpleTokenizer`.

    Raises:
        ConfigError: The file is not there or holds no merges.
    """
    from pipeline.clip.borrowed import SimpleTokenizer

    try:
        with gzip.open(path) as file:
            text = file.read(_MAX_BYTES + 1)
        lines = text.decode().split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not a vocabulary of byte pairs: {error}") from error
    if len(text) > _MAX_BYTES or any(len(line.split()) != 2 for line in lines[1:] if line):
        raise ConfigError(f"{path}: is not a vocabulary of byte pairs: each line must hold two pieces of a word")
    # open_clip takes an empty last line for a merge of nothing.
    trimmed = io.BytesIO(gzip.compress("\n".join([lines[0], *filter(None, lines[1:])]).encode()))
    return SimpleTokenizer(bpe_path=trimmed, **options)
