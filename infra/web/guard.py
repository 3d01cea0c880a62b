"""Who may ask: only pages that this server itself has shown.

A browser sends requests for any page that is open in it. So the Host must be this machine's (a foreign name that
resolves to it is DNS rebinding), a request must not come from another site, and a change carries the token of this
process, which other sites' pages cannot read. It is no protection from other users of this machine: who may open the
port may look, and do what the page does.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

TOKEN_HEADER = "X-Rushes-Token"  # noqa: S105 - a header's name
JSON = "application/json"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_known_host(host: str, bound: str) -> bool:
    """Whether a Host header names this server: as it was bound, `localhost`, or an address in digits.

    An address in digits cannot be rebound, because no name was resolved.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", bound.lower()):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def guard(bound: str, token: str, bodies: tuple[str, ...] = (JSON,)) -> Middleware:
    """A middleware that turns away whom it must, and marks every answer.

    Args:
        bound: The host that the server listens on.
        token: Of this process.
        bodies: Content types of a change; none that a form of another site could send.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = _refusal(request, bound, token, bodies)
        if response is None:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = web.json_response({"error": error.reason}, status=error.status)
        response.headers.update(_HEADERS)
        return response

    return check


def _refusal(request: web.Request, bound: str, token: str, bodies: tuple[str, ...]) -> web.StreamResponse | None:
    host = request.headers.get(hdrs.HOST, "")
    if not is_known_host(host, bound):
        return _refused("this server is not known by that name")
    # The address bar and links from elsewhere may open the page; nothing else comes from another site.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and request.path != "/":
        return _refused("another site's page asked")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and urlsplit(origin).netloc != host:
        return _refused("another site's page asked")
    if request.method in ("GET", "HEAD"):
        return None
    given = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
        return _refused("the token of this server is missing; load the page again")
    if request.content_type not in bodies:
        wanted = " or ".join("JSON" if body == JSON else body for body in bodies)
        return web.json_response({"error": f"{wanted} is wanted"}, status=415)
    return None


def _refused(why: str) -> web.Response:
    return web.json_response({"error": why}, status=403)
