from __future__ import annotations

import base64
import hashlib
import json

import pytest

from infra.web.policy import content_policy, embedded, inlined, script_of


def test_a_policy_allows_this_script_and_this_style_alone() -> None:
    policy = content_policy("let a", "b {}", img="'self'", connect="'self'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for kind, text in (("script-src", "let a"), ("style-src", "b {}")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(kind) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_no_data_can_end_its_element() -> None:
    hostile = "</script><!--\u2028&"
    text = str(embedded({"a": hostile}))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": hostile}
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded(float("nan"))


def test_our_own_files_stand_as_they_are_unless_they_would_end_their_element() -> None:
    assert inlined("a < b") == "a < b"
    with pytest.raises(AssertionError):
        inlined("</style>")


def test_scripts_share_a_scope_of_their_own() -> None:
    assert script_of(["const a = 1;", "a;"]) == '(() => {\n"use strict";\nconst a = 1;\na;})();\n'
