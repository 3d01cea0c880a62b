"""Where a command that shows a page listens."""

from __future__ import annotations

import argparse


def add_address(parser: argparse.ArgumentParser, port: int) -> None:
    """Add `--host` and `--port`.

    Args:
        parser: Of a command with `--serve`.
        port: Without another one.
    """
    parser.add_argument("--host", default="127.0.0.1", help="where --serve listens (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="its port; 0 takes a free one (default: %(default)s)")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is no port (0 to 65535)")
    return port
