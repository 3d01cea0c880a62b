from __future__ import annotations

import json
from fractions import Fraction

import pytest
from pydantic import ValidationError

from pipeline.scan.config import ScanConfig
from pipeline.scan.rules import ScanRules


def test_rules_survive_the_way_to_the_child():
    rules = ScanConfig(detector="content", detector_params={"threshold": 27}, min_clip_s=1.5).rules()
    assert ScanRules.from_json(json.loads(json.dumps(rules.to_json()))) == rules


def test_the_rules_default_to_what_the_config_does():
    assert ScanConfig().rules() == ScanRules()


def test_clips_that_would_fall_under_the_minimum_are_refused_before_the_run():
    with pytest.raises(ValidationError, match="at most half"):
        ScanConfig(min_clip_s=6, max_clip_s=10)


def test_how_the_work_is_spread_does_not_change_the_digest():
    assert ScanConfig(segment_s=5, max_children=1).output_digest() == ScanConfig().output_digest()
    assert ScanConfig(max_clip_s=9).output_digest() != ScanConfig().output_digest()


def test_the_shortest_clip_is_looked_at_once():
    assert ScanRules(min_clip_s=0.25).looks_per_s == Fraction(4)
    assert ScanRules(min_clip_s=5).looks_per_s == Fraction(1)
