"""The offline stack's ClickHouse: the real engine (chDB, in this process) behind ClickHouse's HTTP interface."""
