"""The connections between the processes of a run, each through a proxy that can hurt it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from hlmonitor.local.proxy import TcpProxy


@dataclass(slots=True)
class Lines:
    """Proxies by line, `who>whom`."""

    proxies: dict[str, TcpProxy] = field(default_factory=dict)

    def route(self, client: str, server: str, address: str) -> str:
        """The way through a proxy of its own, for a stack's `route`."""
        line = f"{client}>{server}"
        # The venue counts its limits by the client's address.
        proxy = TcpProxy(line, int(address.rpartition(":")[2]), keep_client_address=server == "simulator")
        self.proxies[line] = proxy
        return f"127.0.0.1:{proxy.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Carry what passes while the context lasts."""
        async with AsyncExitStack() as stack:
            for proxy in self.proxies.values():
                await stack.enter_async_context(proxy)
            yield

    def calm(self) -> None:
        """End every fault that lasts."""
        for proxy in self.proxies.values():
            proxy.calm()
