from __future__ import annotations

import pytest

from pipeline.selection.predicate import MAX_CHARACTERS, known_columns, parse_predicate
from schemas import ConfigError


@pytest.mark.parametrize(
    ("text", "sql", "columns"),
    [
        ("sharpness >= 4", '("sharpness" >= 4)', ("sharpness",)),
        ("SHARPNESS>=4 -- a remark", '("sharpness" >= 4)', ("sharpness",)),
        (
            "is_image OR NOT aesthetic < 5",
            '("is_image" OR (NOT ("aesthetic" < 5)))',
            ("is_image", "aesthetic"),
        ),
        ("codec IN ('h264', 'it''s')", "(\"codec\" IN ('h264', 'it''s'))", ("codec",)),
        ("codec NOT LIKE 'vp%'", "(\"codec\" NOT LIKE 'vp%')", ("codec",)),
        ("duplicate_of IS NULL", '("duplicate_of" IS NULL)', ("duplicate_of",)),
        (
            "coalesce(aesthetic, 1) BETWEEN -1 AND 2e1",
            '(coalesce("aesthetic", 1) BETWEEN -1 AND 2e1)',
            ("aesthetic",),
        ),
        (
            "abs(camera_zoom) / motion_mean < 1",
            '((abs("camera_zoom")::DOUBLE / nullif("motion_mean"::DOUBLE, 0)) < 1)',
            ("camera_zoom", "motion_mean"),
        ),
        ("true", "true", ()),
    ],
)
def test_a_condition_is_written_anew_from_its_tree(text: str, sql: str, columns: tuple[str, ...]) -> None:
    found = parse_predicate(text)
    assert (found.sql, found.columns) == (sql, columns)
    assert parse_predicate(found.sql.replace("::DOUBLE", "").replace("nullif", "coalesce")).columns == columns


@pytest.mark.parametrize(
    "text",
    [
        "1=1) OR (1=1",
        "aesthetic > 1; DROP TABLE wide",
        "aesthetic > 1 FROM clips",
        "aesthetic > 1 LIMIT 1",
        "aesthetic > 1, aesthetic > 2",
        "aesthetic > 1 AS x",
        "aesthetic > 1 UNION SELECT true",
        "DISTINCT aesthetic > 1",
        "(SELECT true)",
        "EXISTS (SELECT 1 FROM read_text('/etc/passwd'))",
        "aesthetic > ANY (SELECT 1)",
        "aesthetic IN (SELECT 1)",
        "read_text('/etc/passwd') = 'a'",
        "getenv('HOME') = 'a'",
        "codec = current_setting('threads')",
        "sum(aesthetic) > 1",
        "row_number() OVER () > 1",
        "abs(aesthetic) FILTER (WHERE true) > 1",
        "main.abs(aesthetic) > 1",
        "CAST(codec AS INT) > 1",
        "aesthetic > 'nan'::DOUBLE",
        "aesthetic > 'nan'",
        "aesthetic > 1e400",
        "aesthetic > $1",
        "aesthetic > ?",
        "aesthetic > NULL",
        "[1, 2][1] > 1",
        "* IS NULL",
        "columns('a') > 1",
        "codec COLLATE nocase = 'a'",
        "aesthetic > 1\0",
        "(" * 1500 + "true" + ")" * 1500,
        "NOT " * 900 + "true",
        "",
        "aesthetic >",
        "aesthetic > 1" + " " * MAX_CHARACTERS,
    ],
)
def test_what_is_no_plain_condition_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_predicate(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("aesthetc > 1", "unknown score 'aesthetc'; did you mean 'aesthetic'?"),
        ("clips.aesthetic > 1", "did you mean 'aesthetic'?"),
        ("zzzzz > 1", "there are clip_id"),
        ("aesthetic", "no condition but a value (DOUBLE)"),
        ("codec > 5", "cannot be evaluated"),
        ("sharpness > 'soft'", "cannot be evaluated"),
        ("sqrt(sharpness) > 1", "its functions are abs"),
    ],
)
def test_a_mistake_is_told_with_what_it_should_be(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_predicate(text)
    assert told in str(caught.value)


def test_the_deciding_comparisons_are_those_with_a_number() -> None:
    found = parse_predicate(
        "5 <= sharpness AND (is_image OR motion_mean > 0.5) AND luma_mean BETWEEN 0.1 AND 0.9 AND width > height"
    )
    assert [(one.sql, one.value, one.threshold) for one in found.comparisons] == [
        ('("sharpness" >= 5)', '"sharpness"', 5.0),
        ('("motion_mean" > 0.5)', '"motion_mean"', 0.5),
        ('("luma_mean" >= 0.1)', '"luma_mean"', 0.1),
        ('("luma_mean" <= 0.9)', '"luma_mean"', 0.9),
    ]
    assert parse_predicate("NOT sharpness > 5").comparisons == ()


def test_every_score_can_be_asked_for() -> None:
    assert {"sharpness", "text_area_ratio", "aesthetic", "duplicate_of", "duration_s"} <= set(known_columns())
    asked = parse_predicate(" AND ".join(f"{name} IS NOT NULL" for name in known_columns()))
    assert asked.columns == known_columns()
