"""Who trades: market makers, the crowd and the whales. Each decides from the exchange and its own dice."""
