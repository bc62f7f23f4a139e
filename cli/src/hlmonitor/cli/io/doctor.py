"""Looks at everything that the system depends on, and says what to do about what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from sqlalchemy.exc import SQLAlchemyError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from hlmonitor.cli.errors import CliError
from hlmonitor.cli.io.connections import open_database, open_nats
from hlmonitor.cli.io.tail import STREAM
from hlmonitor.cli.settings import CliSettings
from hlmonitor.domain.addresses import AddressError, parse_address
from hlmonitor.domain.watch import ListedAddress
from hlmonitor.runtime.core.membership import Member
from hlmonitor.runtime.kv import read_all
from hlmonitor.runtime.membership import BUCKET as MEMBERS
from hlmonitor.runtime.nats import jetstream_of
from hlmonitor.runtime.settings import without_credentials
from hlmonitor.runtime.watchlist import WatchList
from hlmonitor.storage import StorageError
from hlmonitor.storage.dao import watch
from hlmonitor.storage.migrate import is_newest
from hlmonitor.venue.errors import RateLimitedError, VenueError
from hlmonitor.venue.io.rest import InfoClient

_LIMIT_REMEDY = "this IP's share of the venue is used up, by the gateways if they run here: nothing to mend, try later"


class Finding(NamedTuple):
    """What one look showed."""

    what: str
    is_well: bool
    detail: str
    remedy: str = ""


class _ProblemError(Exception):
    """A look that showed something wrong: detail and remedy."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail, self.remedy = detail, remedy


async def examine(settings: CliSettings) -> list[Finding]:
    """Every finding, always in the same order. Raises nothing."""
    looks: list[tuple[str, Callable[[CliSettings], Awaitable[str]]]] = [
        ("NATS", _nats),
        ("signal stream", _stream),
        ("database", _database),
        ("venue REST", _venue_rest),
        ("venue websocket", _venue_websocket),
        ("aggregators", lambda given: _members(given, "aggregator")),
        ("gateways", lambda given: _members(given, "gateway")),
        ("watch list", _watch_list),
    ]
    return list(await asyncio.gather(*(_look(settings, what, look) for what, look in looks)))


async def _look(settings: CliSettings, what: str, look: Callable[[CliSettings], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(4 * settings.connect_timeout):
            return Finding(what, is_well=True, detail=await look(settings))
    except _ProblemError as problem:
        return Finding(what, is_well=False, detail=problem.detail, remedy=problem.remedy)
    except CliError as error:
        return Finding(what, is_well=False, detail=str(error), remedy="mend the connection to NATS first")
    except (NatsError, OSError, TimeoutError) as error:
        return Finding(what, is_well=False, detail=str(error) or repr(error), remedy="look at the NATS server's log")


async def _nats(settings: CliSettings) -> str:
    async with open_nats(settings) as client:
        try:
            account = await jetstream_of(client).account_info()
        except NatsError as error:
            raise _ProblemError(f"no JetStream: {error}", "start the server with -js and a store (-sd)") from error
        return f"{client.connected_server_version}, JetStream with {account.streams} streams"


async def _stream(settings: CliSettings) -> str:
    async with open_nats(settings) as client:
        try:
            info = await jetstream_of(client).stream_info(STREAM)
        except NotFoundError:
            raise _ProblemError(
                f"the stream {STREAM} does not exist", "an aggregator makes it when it starts: start one"
            ) from None
        return f"{STREAM} holds {info.state.messages} signals"


async def _database(settings: CliSettings) -> str:
    url = without_credentials(settings.database_url)
    try:
        async with open_database(settings) as database:
            newest = await is_newest(database)
    except (SQLAlchemyError, StorageError, OSError, TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error) or repr(error)
        raise _ProblemError(f"{url}: {reason}", "start it, or mend --database-url (HLMON_DATABASE_URL)") from error
    if not newest:
        remedy = f"start a writer, or run: python -m hlmonitor.storage.migrate --database-url {url}"
        raise _ProblemError(f"{url}: its schema is not the newest", remedy)
    return f"{url}: its schema is the newest"


async def _venue_rest(settings: CliSettings) -> str:
    try:
        async with InfoClient(settings.venue_rest_url, timeout_s=settings.connect_timeout, attempts=1) as client:
            metas = await client.all_perp_metas()
    except RateLimitedError as error:
        raise _ProblemError(f"{settings.venue_rest_url}: {error}", _LIMIT_REMEDY) from error
    except VenueError as error:
        raise _ProblemError(
            f"{settings.venue_rest_url}: {error}", "mend the network, or --venue-rest-url (HLMON_VENUE_REST_URL)"
        ) from error
    return f"{settings.venue_rest_url}: {sum(len(meta.universe) for meta in metas)} perpetuals"


async def _venue_websocket(settings: CliSettings) -> str:
    remedy = "mend the network, or --venue-ws-url (HLMON_VENUE_WS_URL)"
    try:
        async with (
            asyncio.timeout(settings.connect_timeout),
            connect(settings.venue_ws_url, ping_interval=None, compression=None, proxy=None) as socket,
        ):
            await socket.send('{"method":"ping"}')
            answer = await socket.recv()
    except InvalidStatus as error:
        is_limit = error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        raise _ProblemError(f"{settings.venue_ws_url}: {error}", _LIMIT_REMEDY if is_limit else remedy) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise _ProblemError(f"{settings.venue_ws_url}: {str(error) or repr(error)}", remedy) from error
    if b"pong" not in (answer.encode() if isinstance(answer, str) else answer):
        raise _ProblemError(f"{settings.venue_ws_url} does not answer a ping", remedy)
    return f"{settings.venue_ws_url} answers"


async def _members(settings: CliSettings, kind: str) -> str:
    async with open_nats(settings) as client:
        names = sorted(member.name for member in await _heartbeats(client) if member.kind == kind)
    if not names:
        raise _ProblemError(f"no {kind} is alive", f"start one: hlmon-{kind}, and look at its log if it does not stay")
    return f"{len(names)} alive: {', '.join(names)}"


async def _heartbeats(client: Client) -> list[Member]:
    held = await read_all(client, MEMBERS)
    return [msgspec.json.decode(put.value, type=Member) for put in held.values()]


async def _watch_list(settings: CliSettings) -> str:
    try:
        async with open_database(settings) as database, database.read() as connection:
            rows = await watch.rows(connection, settings.address_source)
    except (SQLAlchemyError, StorageError, OSError, TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error) or repr(error)
        raise _ProblemError(reason, "mend the database first") from error
    async with open_nats(settings) as client:
        held = await WatchList(client).read()
    wanted, bad = _sorted_out(rows)
    watched = {address for address, stored in held.items() if stored.entry and stored.entry.removed_at_ms is None}
    if bad:
        raise _ProblemError(f"rows without a valid address: {', '.join(bad)}", "mend or delete them in SQL")
    if not wanted:
        raise _ProblemError("nobody is watched", "hlmon watch add 0x…, or hlmon watch import FILE")
    if wanted != watched:
        raise _ProblemError(
            f"{len(wanted - watched)} wallets of SQL are not watched yet, {len(watched - wanted)} still are",
            "run hlmon-address-loader, or wait for its next round",
        )
    return f"{len(wanted)} wallets"


def _sorted_out(rows: list[ListedAddress]) -> tuple[set[str], list[str]]:
    wanted: set[str] = set()
    bad: list[str] = []
    for row in rows:
        try:
            wanted.add(parse_address(row.address))
        except AddressError:
            bad.append(f"{row.table} id {row.row_id}")
    return wanted, bad
