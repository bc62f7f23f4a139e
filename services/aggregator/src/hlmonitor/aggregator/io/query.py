"""The Query service: what this aggregator knows right now."""

from dataclasses import dataclass

import grpc

from hlmonitor.aggregator.core.convert import FieldError, address_of
from hlmonitor.aggregator.core.orders import OrderState
from hlmonitor.aggregator.io.owner import Owner
from hlmonitor.domain.decimals import canonical
from hlmonitor.domain.partitions import partition_of
from hlmonitor.v1 import events_pb2, query_pb2, query_pb2_grpc


@dataclass(slots=True)
class Totals:
    """Counts since the process started."""

    fills: int = 0
    duplicates: int = 0
    signals: int = 0


@dataclass(slots=True)
class QueryService(query_pb2_grpc.QueryServicer):
    """Answers from memory."""

    owner: Owner
    totals: Totals

    async def GetPositions(  # noqa: N802 the contract's name
        self,
        request: query_pb2.GetPositionsRequest,
        context: grpc.aio.ServicerContext[query_pb2.GetPositionsRequest, query_pb2.GetPositionsResponse],
    ) -> query_pb2.GetPositionsResponse:
        """The last snapshot of a wallet; NOT_FOUND when there is none here."""
        try:
            address = address_of(request.address)
        except FieldError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        host = self.owner.host(partition_of(address))
        wallet = host.partition.wallets.get(address) if host and host.partition else None
        if wallet is None or not wallet.account.received_at_ms:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"address: {address} has no snapshot at this aggregator")
        account = wallet.account
        snapshot = events_pb2.AccountSnapshot(
            address=address, perps=events_pb2.AccountSnapshot.Perps(dexes=account.dexes.values())
        )
        if account.balances is not None:
            snapshot.spot.balances.extend(account.balances)
        return query_pb2.GetPositionsResponse(snapshot=snapshot, received_at_ms=account.received_at_ms)

    async def ListOpenOrders(  # noqa: N802 the contract's name
        self,
        request: query_pb2.ListOpenOrdersRequest,
        _context: grpc.aio.ServicerContext[query_pb2.ListOpenOrdersRequest, query_pb2.ListOpenOrdersResponse],
    ) -> query_pb2.ListOpenOrdersResponse:
        """Orders with fills or a terminal status that are not finished."""
        orders = [
            _open_order(order)
            for host in self.owner.hosts.values()
            if host.partition
            for wallet in host.partition.wallets.values()
            if not request.address or wallet.address == request.address.lower()
            for order in wallet.orders.values()
        ]
        return query_pb2.ListOpenOrdersResponse(orders=orders)

    async def GetStatistics(  # noqa: N802 the contract's name
        self,
        _request: query_pb2.GetStatisticsRequest,
        _context: grpc.aio.ServicerContext[query_pb2.GetStatisticsRequest, query_pb2.GetStatisticsResponse],
    ) -> query_pb2.GetStatisticsResponse:
        """The partitions held here and the counts since the start."""
        partitions = [
            query_pb2.PartitionStatistics(
                partition=host.number,
                epoch=host.epoch,
                state=host.state,
                committed_batch=host.partition.outbox.committed if host.partition else 0,
                open_orders=host.open_orders,
                unpublished_signals=host.unpublished,
            )
            for host in self.owner.hosts.values()
        ]
        return query_pb2.GetStatisticsResponse(
            partitions=partitions,
            fills=self.totals.fills,
            duplicates=self.totals.duplicates,
            signals=self.totals.signals,
        )

    async def Drain(  # noqa: N802 the contract's name
        self,
        _request: query_pb2.DrainRequest,
        _context: grpc.aio.ServicerContext[query_pb2.DrainRequest, query_pb2.DrainResponse],
    ) -> query_pb2.DrainResponse:
        """Let every partition go, flushed; the process takes none back until it is started again."""
        released = len(self.owner.hosts)
        await self.owner.drain()
        return query_pb2.DrainResponse(partitions_released=released)


def _open_order(order: OrderState) -> query_pb2.OpenOrder:
    times = [held.fill.time_ms for held in order.fills.values()]
    return query_pb2.OpenOrder(
        address=order.ref.address,
        coin=order.ref.coin,
        oid=order.ref.oid,
        twap_id=order.ref.twap_id,
        filled_sz=canonical(order.filled),
        unemitted_sz=canonical(order.unemitted),
        status=order.status.status if order.status else "open",
        first_fill_time_ms=min(times, default=0),
        last_fill_time_ms=max(times, default=0),
    )
