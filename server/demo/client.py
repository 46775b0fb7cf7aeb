"""One person's browser in the demo: signs in over HTTPS, keeps its cookies, and says why it was refused."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from server.errors import GongyuanError


class Answered(GongyuanError):
    """The server refused or failed: its problem+json as an error (`code`, `article`, `facts`, `status`)."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            body = response.json()
        except ValueError:
            body = {}
        super().__init__(str(body.get("type", f"http-{response.status_code}")), body.get("article"))
        self.status = response.status_code
        self.title = str(body.get("title", response.text[:200]))
        self.facts = body.get("facts") or {}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.title}"


class Person:
    """A signed-in person (or an anonymous visitor) at one server."""

    def __init__(self, url: str, authority: Path) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        self._http = httpx.AsyncClient(
            base_url=url,
            # People try again while a server that lost its power starts; a request that has been sent is not repeated.
            transport=httpx.AsyncHTTPTransport(verify=context, retries=9),
            timeout=60.0,
            headers={"accept": "application/json"},
        )

    async def sign_in(self, username: str, password: str) -> "Person":
        """Sign in; the login cookie stays with this person."""
        await self.get("/api/time")  # any page sets the CSRF cookie
        await self.post("/api/login", {"username": username, "password": password})
        return self

    async def get(self, path: str, **query: Any) -> Any:
        """Return the JSON answer; Answered when the server refuses."""
        return self._read(await self._http.get(path, params=query or None))

    async def download(self, path: str) -> bytes:
        """Return the raw answer; Answered when the server refuses."""
        response = await self._http.get(path, headers={"accept": "*/*"})
        if response.status_code >= 400:
            raise Answered(response)
        return response.content

    async def post(self, path: str, body: Mapping[str, Any] | list[Any] | None = None) -> Any:
        """Send JSON and return the JSON answer; Answered when the server refuses."""
        return self._read(
            await self._http.post(path, json=body if body is not None else {}, headers=self._token())
        )

    async def put(self, path: str, body: Mapping[str, Any] | list[Any]) -> Any:
        """Send JSON by PUT and return the JSON answer."""
        return self._read(await self._http.put(path, json=body, headers=self._token()))

    async def delete(self, path: str) -> Any:
        """Ask for a removal; Answered when the server refuses."""
        return self._read(await self._http.delete(path, headers=self._token()))

    async def post_bytes(self, path: str, body: bytes) -> Any:
        """Send raw bytes and return the JSON answer."""
        headers = {**self._token(), "content-type": "application/octet-stream"}
        return self._read(await self._http.post(path, content=body, headers=headers))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _token(self) -> dict[str, str]:
        held = (value for name, value in self._http.cookies.items() if name.startswith("gongyuan-csrf-"))
        return {"x-csrftoken": next(held, "")}

    def _read(self, response: httpx.Response) -> Any:
        if response.status_code >= 400:
            raise Answered(response)
        return response.json() if response.content else None
