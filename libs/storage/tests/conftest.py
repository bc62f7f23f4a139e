from hlmonitor.local.database_fixtures import backend, database_url, server

__all__ = ["backend", "database_url", "server"]
