"""The offline stack's ClickHouse: the engine itself (chDB, in this process) behind ClickHouse's HTTP interface."""
