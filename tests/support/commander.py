"""What a test says to a simulator's `/control` and asks of its `/info`."""

from typing import Any

import httpx


class Commander:
    """Speaks to one simulator. A body is given whole (a list, say) or as fields."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def do(self, command: str, body: object = None, **fields: object) -> Any:  # noqa: ANN401 any JSON
        """Give a command and return the reply."""
        reply = await self.http.post(f"/control/{command}", json=fields if body is None else body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def refused(self, command: str, body: object = None, **fields: object) -> str:
        """Return why a command is refused."""
        reply = await self.http.post(f"/control/{command}", json=fields if body is None else body)
        assert reply.status_code == 400, reply.text
        return str(reply.json()["error"])

    async def answer(self, kind: str, **fields: object) -> Any:  # noqa: ANN401 any JSON
        """Return the answer to a request."""
        reply = await self.http.post("/info", json={"type": kind, **fields})
        assert reply.status_code == 200, reply.text
        return reply.json()
