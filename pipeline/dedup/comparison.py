"""How far two clips show the same: their still part and their changes are compared apart.

Two takes before the same background differ only in what moves; so the changes must agree by themselves wherever
there are any. What remains of a crop is found and taken into account before.
"""

# P pairs, K instants of the first clip

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.dedup.alignment import Alignment, Sequences, align
from pipeline.dedup.candidates import MIRRORED, STRAIGHT
from pipeline.dedup.fingerprint import LAYOUT, LUMA_ORDER, MIRROR, NUM_INSTANT
from pipeline.dedup.registration import crop_luma, find_window, reversed_window
from pipeline.dedup.store import Fingerprints

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_SAMPLES: Final = 6
"""Instants by which the crop of a pair is found."""
_ORDER: Final = 6
"""Sum of frequencies below which luma is compared: higher ones tell of codecs and of what is left of a crop."""
_MEAN_WEIGHT: Final = 0.5
"""Of luma's mean, which a change of brightness alone alters."""
_NOISE: Final = 2.0
"""Squared levels of change that codecs make by themselves: still clips agree whatever their noise."""
_SURE: Final = 0.97
"""Agreement from which on no crop is looked for."""
_WORTH_A_LOOK: Final = 0.6
"""Agreement of the still parts, before any crop is found, below which a crop of a tenth never lies."""
_WORTH_A_LOOK_MOVING: Final = 0.15
"""The same of their changes: copies keep 0.26 and more, of strangers whose still parts agree nine in ten lie below 0.2.
To look for a crop costs three times what all else does."""

_IS_COMPARED = np.array([plane > 0 or v + u < _ORDER for plane, v, u in LAYOUT[:NUM_INSTANT]])
_READ = np.argsort(~_IS_COMPARED, kind="stable")
"""Coefficients of an instant, those first that are compared; a crop mixes the others into them."""
_COMPARED = slice(0, int(_IS_COMPARED.sum()))
_PLANE, _DOWN, _ACROSS = np.array(LAYOUT)[_READ].T
_LUMA = np.flatnonzero(_PLANE == 0)
_DOWN, _ACROSS = _DOWN[_LUMA], _ACROSS[_LUMA]
_TEXTURE = np.flatnonzero(_READ[_COMPARED] != LAYOUT.index((0, 0, 0)))
_WEIGHTS = np.where(np.arange(NUM_INSTANT) == _READ.tolist().index(LAYOUT.index((0, 0, 0))), _MEAN_WEIGHT, 1.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing pairs gave, (P,) each; all agreements are at most 1."""

    still: Array
    """Agreement of the mean pictures: 1 less half their squared difference, relative to their squared contents."""
    change: Array
    """Agreement of what differs from them, likewise, noise allowed for; the lesser of it all, and of what is left when
    the picture has been let grow lighter and darker as a whole: a fade is like every other fade."""
    moving: Array
    """Levels of that rest, of the clip that has less."""
    texture: Array
    """Levels of texture in the mean pictures and in what changes, brightness alone left out: how much there is to be
    compared at all."""
    eventful: Array
    """How much changes in what both show, relative to how much changes in the first clip: near 0 where they only have
    in common that nothing happens."""
    begin_s: Array
    """The moment of the second clip at which the first begins, in seconds; negative where that is before it."""
    speed: Array
    """Seconds of the second clip in a second of the first."""
    mirrored: Array


def compare(fingerprints: Fingerprints, first: Array, second: Array, ways: Array) -> Comparison:
    """Compare clips pair by pair.

    Args:
        fingerprints: All.
        first: Places of the pairs' first clips, none longer than its second.
        second: Places of the second ones.
        ways: Whether to compare them as they are, mirrored, or both: the sum of `STRAIGHT` and `MIRRORED`.
    """
    result = _worthless(len(ways))
    for way in (STRAIGHT, MIRRORED):
        places = np.flatnonzero(ways & way)
        if not len(places):
            continue
        theirs = sequences(fingerprints, second[places])
        if way == MIRRORED:
            theirs = replace(theirs, values=theirs.values * MIRROR[_READ])
        found = _compare(sequences(fingerprints, first[places]), theirs)
        found.mirrored[:] = way == MIRRORED
        _keep_better(result, places, found)
    return result


def _worthless(num: int) -> Comparison:
    """Results of pairs that have not been compared in any way."""
    result = Comparison(*(np.zeros(num, np.bool_ if one.name == "mirrored" else float) for one in fields(Comparison)))
    result.still[:] = -np.inf
    return result


def sequences(fingerprints: Fingerprints, clips: Array) -> Sequences:
    """Clips as an array padded with zeros."""
    counts = fingerprints.num_instants[clips]
    number = np.arange(int(counts.max(initial=1)))
    real = number < counts[:, None]
    rows = np.where(real, fingerprints.begins[clips][:, None] + number, 0)
    changes = fingerprints.changes[rows][..., _READ] * fingerprints.change_step[clips][:, None, None]
    values = (fingerprints.pictures[clips][:, None, _READ].astype(np.float32) + changes) * _WEIGHTS
    return Sequences((values * real[..., None]).astype(np.float32), counts, fingerprints.interval_s[clips])


def _compare(first: Sequences, second: Sequences) -> Comparison:
    rough = align(first, second, _COMPARED)
    result = _agreement(first, rough, first.values, rough.second)
    sure = np.minimum(result.still, result.change) >= _SURE
    alike = (result.still >= _WORTH_A_LOOK) & (result.change >= _WORTH_A_LOOK_MOVING)
    hopeful = np.flatnonzero(alike & (result.texture >= 1) & ~sure)
    if not len(hopeful):
        return result
    cropped = _compare_cropped(_some(first, hopeful), _some(second, hopeful), _of(rough, hopeful))
    _keep_better(result, hopeful, cropped)
    return result


def _compare_cropped(first: Sequences, second: Sequences, rough: Alignment) -> Comparison:
    """Compare again after the wider picture of each pair has been cropped to what the other shows."""
    window = find_window(_samples(first.values, rough.inside), _samples(rough.second, rough.inside))
    back = reversed_window(window)
    is_part = ((window[:, 1] - window[:, 0]) * (window[:, 3] - window[:, 2]) <= 1)[:, None, None]
    mine = replace(first, values=np.where(is_part, first.values, _cropped(first.values, back)))
    theirs = replace(second, values=np.where(is_part, _cropped(second.values, window), second.values))
    shown = np.where(is_part, _cropped(rough.second, window), rough.second)
    return _better(_agreement(mine, rough, mine.values, shown), _compare_changes(mine, theirs))


def _worth(one: Comparison) -> Array:
    """What the better of two ways of seeing a pair is told by."""
    return np.asarray(one.still + one.change * np.minimum(np.sqrt(one.eventful), 1))


def _better(one: Comparison, other: Comparison) -> Comparison:
    take = _worth(other) > _worth(one)
    return Comparison(*(np.where(take, getattr(other, f.name), getattr(one, f.name)) for f in fields(Comparison)))


def _keep_better(result: Comparison, places: Array, found: Comparison) -> None:
    """Put what was found of the pairs at some places there, where it is the better way of seeing them."""
    better = _better(_pick(result, places), found)
    for one in fields(Comparison):
        getattr(result, one.name)[places] = getattr(better, one.name)


def _compare_changes(first: Sequences, second: Sequences) -> Comparison:
    """Align anew by what changes, and compare.

    What is left of a crop after all shifts still parts by more than a small movement before them amounts to.
    """
    bases = [_mean(some.values, _real(some)) for some in (first, second)]
    mine, theirs = (replace(some, values=some.values - base) for some, base in zip((first, second), bases, strict=True))
    aligned = align(mine, theirs, _COMPARED, relative=True)
    return _agreement(first, aligned, first.values, aligned.second + bases[1])


def _real(some: Sequences) -> npt.NDArray[np.bool_]:
    return np.asarray(np.arange(some.values.shape[1]) < some.counts[:, None])


def _mean(values: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
    weights = counted[..., None].astype(np.float32)
    return np.asarray((values * weights).sum(axis=1, keepdims=True) / np.maximum(weights.sum(axis=1, keepdims=True), 1))


def _agreement(first: Sequences, aligned: Alignment, mine: Floats, theirs: Floats) -> Comparison:
    mine, theirs = mine[..., _COMPARED], theirs[..., _COMPARED]
    inside = aligned.inside[..., None].astype(np.float32)
    num = np.maximum(inside.sum(axis=1), 1)
    means = [(some * inside).sum(axis=1) / num for some in (mine, theirs)]
    changes = [(some - mean[:, None]) * inside for some, mean in zip((mine, theirs), means, strict=True)]
    rests = [_without_gain(some, mean) for some, mean in zip(changes, means, strict=True)]
    textures = [mean[:, None, _TEXTURE] for mean in means]
    begin_s = aligned.middle_s - aligned.speed * first.duration_s / 2
    real = (np.arange(mine.shape[1]) < first.counts[:, None])[..., None]
    whole = (mine - (mine * real).sum(axis=1, keepdims=True) / first.counts[:, None, None]) * real
    energy, common = (np.einsum("pkd,pkd->p", some, some) for some in (whole, changes[0]))
    eventful = (common / num[:, 0] + _NOISE) / (energy / first.counts + _NOISE)
    return Comparison(
        eventful=eventful,
        still=_concordance(*textures, noise=0.0),
        change=np.minimum(*(_concordance(*some, noise=_NOISE * num[:, 0]) for some in (changes, rests))),
        moving=np.sqrt(np.minimum(*(np.einsum("pkd,pkd->p", rest, rest) for rest in rests)) / num[:, 0]),
        texture=np.minimum(*(_levels(*both_of, num[:, 0]) for both_of in zip(textures, changes, strict=True))),
        begin_s=begin_s,
        speed=aligned.speed.copy(),
        mirrored=np.zeros(len(begin_s), np.bool_),
    )


def _without_gain(changes: Floats, mean: Floats) -> Floats:
    """What is left of changes when those along the mean picture's texture, and those of luma's mean, are taken off."""
    texture = mean[:, None, _TEXTURE]
    along = texture / np.maximum(np.linalg.norm(texture, axis=2, keepdims=True), 1e-3)
    moving = changes[..., _TEXTURE]
    return np.asarray(moving - np.einsum("pkd,pjd->pk", moving, along)[..., None] * along)


def _levels(texture: Floats, changes: Floats, num: Array) -> Array:
    moving = changes[..., _TEXTURE]
    return np.asarray(
        np.sqrt(np.einsum("pkd,pkd->p", texture, texture) + np.einsum("pkd,pkd->p", moving, moving) / num)
    )


def _concordance(one: Floats, other: Floats, *, noise: Array | float) -> Array:
    """Twice the product over the sum of squares: 1 for equals, 0 for strangers. Source: Lin, Biometrics 45, 1989."""
    product = np.einsum("pkd,pkd->p", one, other)
    squares = np.einsum("pkd,pkd->p", one, one) + np.einsum("pkd,pkd->p", other, other)
    return np.asarray((2 * product + noise) / (squares + noise + 1e-6))


def _samples(values: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """A few instants inside, spread evenly, as luma matrices (P, 6, 8, 8)."""
    num = np.maximum(inside.sum(axis=1), 1)
    order = np.argsort(~inside, axis=1, kind="stable")
    wanted = ((np.arange(_SAMPLES) + 0.5) / _SAMPLES * num[:, None]).astype(np.int64)
    pair = np.arange(len(values))[:, None]
    return _matrices(values[pair, order[pair, wanted]])


def _matrices(values: Floats) -> Floats:
    luma = np.zeros((*values.shape[:-1], LUMA_ORDER, LUMA_ORDER), np.float32)
    luma[..., _DOWN, _ACROSS] = values[..., _LUMA]
    return luma


def _cropped(values: Floats, bounds: Floats) -> Floats:
    cropped = values.copy()
    cropped[..., _LUMA] = crop_luma(_matrices(values), bounds)[..., _DOWN, _ACROSS]
    return cropped


def _some(all_of: Sequences, places: Array) -> Sequences:
    return Sequences(all_of.values[places], all_of.counts[places], all_of.interval_s[places])


def _of(all_of: Alignment, places: Array) -> Alignment:
    return Alignment(*(getattr(all_of, one.name)[places] for one in fields(Alignment)))


def _pick(all_of: Comparison, places: Array) -> Comparison:
    return Comparison(*(getattr(all_of, one.name)[places] for one in fields(Comparison)))
