-- What the xAPI ETL writes. {database} and {table} stand for names: `python -m clickhouse.apply` puts them in.
-- Statements end with a semicolon at the end of a line; applying all of it again changes nothing.

CREATE DATABASE IF NOT EXISTS {database};

CREATE TABLE IF NOT EXISTS {database}.{table}
(
    statement_id         String                   COMMENT 'The statement''s UUID, in lower case',
    timestamp            DateTime64(3, 'UTC')     COMMENT 'When it happened; when it was stored, if it does not say',
    stored               Nullable(DateTime64(3, 'UTC')) COMMENT 'When the record store received it',

    actor_id             Nullable(String)         COMMENT 'Account name, mbox, mbox_sha1sum or openid',
    actor_home_page      LowCardinality(Nullable(String)) COMMENT 'Home page of the account, if the actor is one',
    verb_id              LowCardinality(Nullable(String)) COMMENT 'IRI of the verb',
    object_type          LowCardinality(Nullable(String)) COMMENT 'Activity, Agent, Group, SubStatement or StatementRef',
    object_id            Nullable(String)         COMMENT 'IRI of the activity, or id of what the object refers to',
    activity_type        LowCardinality(Nullable(String)) COMMENT 'IRI of the activity''s type',

    score_raw            Nullable(Float64)        COMMENT 'Between score_min and score_max',
    score_min            Nullable(Float64)        COMMENT 'Lowest possible score',
    score_max            Nullable(Float64)        COMMENT 'Highest possible score',
    score_scaled         Nullable(Float64)        COMMENT 'Between -1 and 1',
    success              Nullable(Bool)           COMMENT 'Whether the attempt succeeded',
    completion           Nullable(Bool)           COMMENT 'Whether the activity was completed',
    response             Nullable(String)         COMMENT 'What the actor answered',
    duration_seconds     Nullable(Float64)        COMMENT 'ISO 8601 duration of the result, in seconds',

    registration         Nullable(String)         COMMENT 'UUID of the registration, in lower case',
    session_id           Nullable(String)         COMMENT 'Session, from the context''s extensions',
    platform             LowCardinality(Nullable(String)) COMMENT 'Platform of the context',
    language             LowCardinality(Nullable(String)) COMMENT 'Language of the context, RFC 5646',

    time                 Nullable(Float64)        COMMENT 'Position in the video, in seconds',
    time_from            Nullable(Float64)        COMMENT 'Position before a seek, in seconds',
    time_to              Nullable(Float64)        COMMENT 'Position after a seek, in seconds',
    length               Nullable(Float64)        COMMENT 'Length of the video, in seconds',
    progress             Nullable(Float64)        COMMENT 'Part of the video that was played, 0 to 1',
    played_segments      Nullable(String)         COMMENT 'Segments that were played: from[.]to[,]from[.]to',

    statement            String                   COMMENT 'The line itself, as it was' CODEC(ZSTD(3)),

    event_hash           String                   COMMENT 'SHA-256 of the line, in hexadecimal',
    source_file          LowCardinality(String)   COMMENT 'Object that it came from: s3://bucket/key',
    source_etag          LowCardinality(String)   COMMENT 'ETag of that object',
    source_line          UInt64                   COMMENT 'Line in that object, from 1, blank lines not counted',

    inserted_at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it came here; the latest is kept',

    -- Looking for what landed of an object, before it is inserted again, reads a few granules instead of all.
    INDEX source_file_index source_file TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(inserted_at)
PARTITION BY toYYYYMM(timestamp)
-- A statement that comes again, in whatever form, replaces the one before; those without an id are told by their lines.
ORDER BY (statement_id, if(empty(statement_id), event_hash, ''))
-- The last so many inserted blocks are remembered by their tokens. It is 0 by default, which remembers none.
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'xAPI statements, a row each';
