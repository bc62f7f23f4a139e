"""The nats-server of our own."""

from pathlib import Path

import nats
import pytest

from hlmonitor.local.nats import NatsServer
from hlmonitor.local.processes import LocalError


async def test_its_store_and_port_survive_a_kill(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.add_stream(name="kept", subjects=["kept"])
        await stream.publish("kept", b"1")
        await client.close()
        url = server.url
        server.kill()
        server.start()
        assert server.url == url
        client = await nats.connect(server.url)
        assert (await client.jetstream().get_msg("kept", seq=1)).data == b"1"
        await client.close()
        server.stop()
        assert server.exit_code == 0
    assert not server.running


def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "first") as first:
        second = NatsServer(tmp_path / "second", port=first.port)
        with pytest.raises(LocalError, match="did not start on port"):
            second.start()
