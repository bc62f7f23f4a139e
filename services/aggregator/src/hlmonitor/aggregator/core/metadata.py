"""What the core must know of markets, supplied by the shell."""

from decimal import Decimal
from typing import Protocol


class Markets(Protocol):
    """Names, classes and prices of coins, as last loaded."""

    def symbol_of(self, coin: str) -> str:
        """The name shown to people; the raw coin when it is unknown."""
        ...

    def coin_type_of(self, coin: str) -> str:
        """`A` to `D`, from the pair configuration; `D` when there is none."""
        ...

    def mid_of(self, coin: str) -> Decimal | None:
        """The last mid price in quote units, if known."""
        ...

    def token_usd(self, token: str) -> Decimal | None:
        """What one unit of a spot token is worth in USD, if known; stable coins count as 1."""
        ...

    def collateral_of(self, dex: str) -> str | None:
        """The token in which a perpetuals dex keeps its accounts, if known; the main dex is the empty name."""
        ...

    def base_of(self, coin: str) -> str | None:
        """The token that a spot pair trades, if known; outcome coins have balances of their own."""
        ...

    def quote_of(self, coin: str) -> str | None:
        """The token in which a coin is priced, if known."""
        ...

    def display_token(self, token: str) -> str:
        """The token's name after the alias table (UBTC is shown as BTC)."""
        ...
