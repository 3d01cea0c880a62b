from __future__ import annotations

from infra.evaluate.targets import Measured, render_summary, summary


def test_the_middle_of_many_values_and_the_mean_of_shares_stand_beside_the_target_and_the_ceiling() -> None:
    found = [Measured("loop: wrap", f"loop-{k}", value) for k, value in enumerate((1.0, 1.2, 9.0))]
    found += [
        Measured("shots: subject right", f"shots-{k}", value, 1.0) for k, value in enumerate((1.0, 1.0, 0.0, 0.0))
    ]
    wrap, right = summary(found)
    assert (wrap["middle"], wrap["ceiling"], wrap["reached"], wrap["num"]) == (1.2, None, 2 / 3, 3)
    assert (right["middle"], right["ceiling"], right["target"], right["reached"]) == (0.5, 1.0, ">= 0.85", 0.5)
    lines = render_summary([wrap, right]).splitlines()
    assert lines[0].split() == ["middle", "ceiling", "target", "reached", "by", "n"]
    assert lines[1].split() == ["loop:", "wrap", "1.2", "-", "<=", "1.5", "67%", "3"]
    assert lines[2].split()[-6:] == ["0.5", "1", ">=", "0.85", "50%", "4"]
