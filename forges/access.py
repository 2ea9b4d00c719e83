"""Where a forge is asked, and by whose token; and how its refusals are told, without that token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from forges.forge import ForgeAway, ForgeError, LoggedOut, NotAllowed

Kind = Literal["github", "gitlab", "gitea"]
SECONDS = 15
"""Until an answer. Nothing that a forge is asked takes it longer, and a run must not hang on it."""
ANY = "FLEET_FORGE_TOKEN"
"""The variable of a token that goes to whichever forge the stack file names."""
VARIABLES: dict[Kind, tuple[str, ...]] = {
    "github": ("GH_TOKEN", "GITHUB_TOKEN"),
    "gitlab": ("GITLAB_TOKEN",),
    "gitea": ("GITEA_TOKEN", "FORGEJO_TOKEN"),
}
"""…and of those that other programs use as well."""
_WORDS = 300
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Access:
    """The API's address, without a trailing slash, and the token.

    Raises ForgeError for an address that a token must not be sent to, and for a token that is no header: the HTTP
    libraries would quote it in their message.
    """

    kind: Kind
    api: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.api)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise ForgeError("the forge's address is no http(s) address")
        if parts.username is not None or parts.password is not None:
            raise ForgeError(f"the address of {host} must be without credentials")
        if parts.scheme == "http" and not is_loopback(host):
            raise ForgeError(f"{host}: no token is sent by plain http; give its https address")
        if not self.token or not self.token.isascii() or not re.fullmatch(r"[!-~]+", self.token):
            raise ForgeError(
                f"the token for {host} is empty or has characters that none has; is there a line break in it?"
            )

    @property
    def host(self) -> str:
        """The forge's host, with the port where it has one."""
        return urlsplit(self.api).netloc

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where no proxy leads to."""
        return is_loopback(urlsplit(self.api).hostname or "")

    def refused(self, asked: str, needs: str, status: int, said: object) -> ForgeError:
        """What an answer of this HTTP status that is no 2xx means: `asked` was refused, which `needs` some right."""
        words = f"{status} {self.words(said)}".rstrip()
        if status == 401:
            hint = f"the token has ended or was revoked, or is no token of this forge; set {self.variables}"
            return LoggedOut(self.line(asked, words, hint))
        if status == 403:
            hint = f"the token may not do that: it needs {needs}"
            return NotAllowed(self.line(asked, words, hint))
        if status == 404:
            hint = f"there is no such thing, or the token may not see it: it needs {needs}"
            return NotAllowed(self.line(asked, words, hint))
        if status == 429 or status >= 500:
            return ForgeAway(self.line(asked, words, "try again later"))
        return ForgeError(self.line(asked, words))

    def away(self, asked: str, why: object) -> ForgeAway:
        """That it didn't answer, or can't now."""
        return ForgeAway(self.line(asked, self.words(why)))

    def moved(self, asked: str, location: str) -> ForgeError:
        """That it sent us elsewhere, where the token is not for."""
        hint = "the token isn't sent on; give the new address"
        return ForgeError(self.line(asked, f"it redirects to {self.words(location)}", hint))

    def odd(self, asked: str, why: object = "") -> ForgeError:
        """That its answer is not of the shape that is documented, or can't be asked for."""
        return ForgeError(
            self.line(asked, self.words(why) or "an answer of another shape", "is this its API?")
        )

    @property
    def variables(self) -> str:
        """What may hold a token for it, for a message."""
        return " or ".join((ANY, *VARIABLES[self.kind]))

    def line(self, asked: str, *parts: str) -> str:
        """One line for the user."""
        return f"{self.host}: can't {asked}: {'; '.join(part for part in parts if part)}"

    def words(self, said: object) -> str:
        """The forge's own words, on one line and cut off; of an HTML page its title."""
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")
        # A page that a proxy made may say back what it was sent.
        text = text.replace(self.token, "(the token)")
        if "<html" in text[:1000].lower():
            title = _TITLE.search(text)
            text = title[1] if title else "an HTML page"
        text = "".join(one if one.isprintable() else " " for one in text)
        return " ".join(text.split())[:_WORDS]


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
