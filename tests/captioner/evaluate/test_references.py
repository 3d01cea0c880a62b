from captioner.evaluate.references import reference_scores

CLIPS = {f"clip {k}": [f"a {word} star moves over the {word} floor"] for k, word in enumerate(("red", "blue", "old"))}


def test_the_reference_itself_scores_best() -> None:
    same = reference_scores(CLIPS, {clip: texts[0] for clip, texts in CLIPS.items()})
    assert same["bleu_4"] > 0.999
    assert same["cider"] > 9.9


def test_captions_of_other_clips_score_less() -> None:
    clips = sorted(CLIPS)
    moved = {clip: CLIPS[other][0] for clip, other in zip(clips, clips[1:] + clips[:1], strict=True)}
    assert reference_scores(CLIPS, moved)["cider"] < 3


def test_without_both_there_is_no_score() -> None:
    assert reference_scores(CLIPS, {"other": "a star"}) == {}
