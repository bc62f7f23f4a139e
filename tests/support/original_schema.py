"""The original's tables as its start makes them, and as its init.sql makes them, each with a row.

In MySQL's words, as the original ran on nothing else; other databases get the nearest types.
"""

AUTO_MIGRATED = [
    """CREATE TABLE hl_watch_addresses (
        id bigint unsigned AUTO_INCREMENT PRIMARY KEY, player_id bigint unsigned NOT NULL, address varchar(42) NOT NULL,
        nickname varchar(64) DEFAULT '', is_system tinyint(1) NOT NULL DEFAULT 0, created_at datetime(3) NULL,
        updated_at datetime(3) NULL, deleted_at datetime(3) NULL,
        CONSTRAINT uidx_player_addr UNIQUE (player_id, address))""",
    """CREATE TABLE hl_position_cache (
        id bigint unsigned AUTO_INCREMENT PRIMARY KEY, address varchar(42) NOT NULL, spot_balances json NULL,
        spot_total_usd varchar(32) NOT NULL DEFAULT '0', futures_positions json NULL,
        account_value varchar(32) NOT NULL DEFAULT '0', total_margin_used varchar(32) NOT NULL DEFAULT '0',
        total_ntl_pos varchar(32) NOT NULL DEFAULT '0', withdrawable varchar(32) NOT NULL DEFAULT '0',
        updated_at datetime(3) NOT NULL, CONSTRAINT uidx_address UNIQUE (address))""",
    """CREATE TABLE hl_order_aggregation (
        id bigint AUTO_INCREMENT PRIMARY KEY, oid bigint NOT NULL, address varchar(42) NOT NULL,
        direction varchar(16) NOT NULL, symbol varchar(24) NOT NULL, fills json NOT NULL,
        total_size double NOT NULL DEFAULT 0, weighted_avg_px double NOT NULL DEFAULT 0,
        order_status varchar(64) NOT NULL DEFAULT 'open', last_fill_time bigint NOT NULL,
        signal_sent tinyint(1) NOT NULL DEFAULT 0, created_at datetime(3) NULL, updated_at datetime(3) NULL,
        CONSTRAINT uidx_addr_oid_dir UNIQUE (oid, address, direction))""",
    """CREATE TABLE hl_address_signals (
        id bigint unsigned AUTO_INCREMENT PRIMARY KEY, address varchar(42) NOT NULL,
        position_rate decimal(18,3) NOT NULL, close_rate decimal(18,3) NOT NULL DEFAULT 0, symbol varchar(24) NOT NULL,
        coin_type varchar(8) NOT NULL, asset_type varchar(24) NOT NULL, direction varchar(8) NOT NULL,
        side varchar(8) NOT NULL, price decimal(28,12) NOT NULL, size decimal(18,8) NOT NULL,
        created_at datetime(3) NULL, expired_at datetime(3) NOT NULL)""",
]
INIT_SQL = [
    AUTO_MIGRATED[0].replace("datetime(3) NULL", "TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP"),
    AUTO_MIGRATED[1].replace("datetime(3) NOT NULL", "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"),
    """CREATE TABLE hl_order_aggregation (
        id bigint AUTO_INCREMENT PRIMARY KEY, oid bigint NOT NULL, address varchar(42) NOT NULL,
        direction varchar(16) NOT NULL, symbol varchar(24) NOT NULL, fills json NOT NULL,
        total_size decimal(18,8) NOT NULL DEFAULT 0, weighted_avg_px decimal(28,12) NOT NULL DEFAULT 0,
        order_status varchar(16) NOT NULL DEFAULT 'open', last_fill_time bigint NOT NULL,
        signal_sent tinyint(1) NOT NULL DEFAULT 0, created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP)""",
    """CREATE TABLE hl_address_signals (
        id bigint unsigned AUTO_INCREMENT PRIMARY KEY, address varchar(42) NOT NULL, position_rate varchar(16) NOT NULL,
        symbol varchar(24) NOT NULL, coin_type varchar(8) NOT NULL, asset_type varchar(24) NOT NULL,
        direction varchar(8) NOT NULL, side varchar(8) NOT NULL, price decimal(28,12) NOT NULL,
        size decimal(18,8) NOT NULL, created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
        expired_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)""",
]
FOREIGN = [
    """CREATE TABLE hl_active_addresses (
        id bigint AUTO_INCREMENT PRIMARY KEY, server_id int NOT NULL, address varchar(64) NOT NULL,
        created_at datetime(3) NULL, updated_at datetime(3) NULL,
        CONSTRAINT uidx_server_addr UNIQUE (server_id, address))""",
    """CREATE TABLE pair_configs (
        id bigint AUTO_INCREMENT PRIMARY KEY, symbol varchar(32) NOT NULL, platform varchar(32) NULL,
        category smallint DEFAULT 4)""",
]

WALLET = "0x" + "ab" * 20
ROWS = [
    f"INSERT INTO hl_watch_addresses (player_id, address, nickname) VALUES (1, '{WALLET}', 'whale')",
    f"INSERT INTO hl_position_cache (address, updated_at) VALUES ('{WALLET}', '2026-01-02 03:04:05')",
    (
        "INSERT INTO hl_order_aggregation (oid, address, direction, symbol, fills, total_size, weighted_avg_px,"
        f" last_fill_time) VALUES (77, '{WALLET}', 'Open Long', 'BTCUSDC', '[]', 1.5, 60000.25, 1700000000)"
    ),
]
SIGNAL_ROW = (
    "INSERT INTO hl_address_signals (address, position_rate, symbol, coin_type, asset_type, direction, side, price,"
    " size, expired_at) VALUES ('{wallet}', '{rate}', 'BTCUSDC', 'A', 'futures', 'open', 'LONG', 60000.25, 1.5,"
    " '2026-01-09 03:04:05')"
)

_NEAREST = {
    "postgresql": {
        "bigint unsigned AUTO_INCREMENT PRIMARY KEY": "bigserial PRIMARY KEY",
        "bigint AUTO_INCREMENT PRIMARY KEY": "bigserial PRIMARY KEY",
        "bigint unsigned": "bigint",
        "datetime(3)": "timestamp(3)",
        "tinyint(1) NOT NULL DEFAULT 0": "boolean NOT NULL DEFAULT false",
        "double": "double precision",
    },
    "sqlite": {
        "tinyint(1)": "boolean",
        "bigint unsigned AUTO_INCREMENT PRIMARY KEY": "integer PRIMARY KEY",
        "bigint AUTO_INCREMENT PRIMARY KEY": "integer PRIMARY KEY",
    },
}


def in_dialect(statement: str, dialect: str) -> str:
    for mysql_words, words in _NEAREST.get(dialect, {}).items():
        statement = statement.replace(mysql_words, words)
    return statement
