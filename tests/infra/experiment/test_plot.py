from __future__ import annotations

from xml.etree import ElementTree

from infra.experiment.means import Mean, PowerLaw
from infra.experiment.plot import Bars, Curves, draw_bars, draw_curves

BARS = Bars(
    groups=["colour", "shape"],
    series={
        "native sizes": [Mean(0.9, 0.02), Mean(0.8, 0.1)],
        "square crops": [Mean(0.7, 0.02), Mean(0.5, float("nan"))],
    },
    ceilings=[1.0, 0.98],
    title="Of three seeds",
)
CURVES = Curves(
    x=[1, 4, 16],
    loss=[Mean(0.5, 0.01), Mean(0.4, 0.01), Mean(0.3, 0.01)],
    law=PowerLaw(0.5, -0.18, 0.01),
    scores={"color": [Mean(0.1, 0.1), Mean(0.5, 0.1), Mean(0.9, 0.1)]},
    title="Base: 10 steps",
)


def test_plots_are_svg_and_the_same_for_the_same_numbers() -> None:
    for draw in (lambda: draw_bars(BARS), lambda: draw_curves(CURVES)):
        plot = draw()
        assert ElementTree.fromstring(plot).tag.endswith("svg")
        assert plot == draw()
        assert b"<script" not in plot


def test_other_numbers_give_another_plot() -> None:
    other = Curves(x=CURVES.x, loss=CURVES.loss, law=None, scores=CURVES.scores, title=CURVES.title)
    assert draw_curves(other) != draw_curves(CURVES)
