from __future__ import annotations

import pytest

from infra.web.guard import is_known_host


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost", "localhost:1", "[::1]:80", "192.168.0.7:8765", "box.example:8765"]
)
def test_the_servers_own_names_are_known(host: str) -> None:
    assert is_known_host(host, "box.example")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "[::1",
        "2130706433",
    ],
)
def test_names_that_could_be_rebound_are_not(host: str) -> None:
    assert not is_known_host(host, "127.0.0.1")
