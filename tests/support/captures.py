"""Lines of a capture, as docs/captures.md has them."""

import msgspec

Json = object


def encode(value: Json) -> str:
    """Write what a frame or a request says."""
    return msgspec.json.encode(value).decode()


def line(kind: str, time_us: int, connection: int = 0, payload: Json = None) -> bytes:
    """Write a line."""
    return msgspec.json.encode((kind, time_us, connection, payload)) + b"\n"


def run_line(time_us: int = 1) -> bytes:
    """Write the line with which a recorder begins."""
    return line("run", time_us, payload={"format": "hlmon-capture", "version": 1, "subscriptions": []})


def asked(wanted: Json) -> str:
    """Write the text that asks for a subscription."""
    return encode({"method": "subscribe", "subscription": wanted})


def acknowledged(echo: Json) -> str:
    """Write the text that acknowledges one."""
    return encode({"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": echo}})
