-- Tables of the xAPI ETL. `python -m clickhouse.apply` replaces {database} and {table} by names.
-- Each statement ends with a semicolon at the end of a line. Applying the schema again changes nothing.

CREATE DATABASE IF NOT EXISTS {database};

CREATE TABLE IF NOT EXISTS {database}.{table}
(
    statement_id         String                   COMMENT 'The statement''s UUID, in lower case',
    timestamp            DateTime64(3, 'UTC')     COMMENT 'When it happened; as timestamp_source says where it does not say',
    timestamp_source     LowCardinality(String)   COMMENT 'Where timestamp comes from: timestamp, stored or arrival (of its object)',
    stored               Nullable(DateTime64(3, 'UTC')) COMMENT 'When the record store received it',

    actor_id             Nullable(String)         COMMENT 'Account name, mbox, mbox_sha1sum or openid',
    actor_home_page      LowCardinality(Nullable(String)) COMMENT 'Home page of the account, if the actor is one',
    verb_id              LowCardinality(Nullable(String)) COMMENT 'IRI of the verb',
    object_type          LowCardinality(Nullable(String)) COMMENT 'Activity (also where it does not say), Agent, Group, SubStatement or StatementRef',
    object_id            Nullable(String)         COMMENT 'IRI of the activity, id of what the object refers to, identifier of an agent, or of a SubStatement''s object',
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
    course_id            LowCardinality(Nullable(String)) COMMENT 'Course, from the context''s activities',
    organisation         LowCardinality(Nullable(String)) COMMENT 'Organisation, from the context''s extensions or team',
    parent_ids           Array(String)            COMMENT 'Activities that the object is a direct part of',
    grouping_ids         Array(String)            COMMENT 'Activities that the object is an indirect part of',
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

    -- With this index, a lookup of an object's rows reads a few granules instead of all.
    INDEX source_file_index source_file TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(inserted_at)
PARTITION BY toYYYYMM(timestamp)
-- A repeated statement, in whatever form, replaces the previous one; statements without an id are identified by their lines.
ORDER BY (statement_id, if(empty(statement_id), event_hash, ''))
-- Number of inserted blocks whose tokens are remembered. The default is 0, which disables deduplication.
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'xAPI statements, a row each';

-- Columns that older tables lack. The ETL leaves out missing columns and logs them.
ALTER TABLE {database}.{table}
    ADD COLUMN IF NOT EXISTS timestamp_source LowCardinality(String) COMMENT 'Where timestamp comes from: timestamp, stored or arrival (of its object)' AFTER timestamp,
    ADD COLUMN IF NOT EXISTS course_id LowCardinality(Nullable(String)) COMMENT 'Course, from the context''s activities' AFTER session_id,
    ADD COLUMN IF NOT EXISTS organisation LowCardinality(Nullable(String)) COMMENT 'Organisation, from the context''s extensions or team' AFTER course_id,
    ADD COLUMN IF NOT EXISTS parent_ids Array(String) COMMENT 'Activities that the object is a direct part of' AFTER organisation,
    ADD COLUMN IF NOT EXISTS grouping_ids Array(String) COMMENT 'Activities that the object is an indirect part of' AFTER parent_ids;

-- Ledger of the INSERTs that were started and that ClickHouse has acknowledged. When the other table is emptied, this one
-- can stay: rows that are gone are sent again.
CREATE TABLE IF NOT EXISTS {database}.{table}_inserts
(
    source_file          String                   COMMENT 'Object that the rows come from: s3://bucket/key',
    source_etag          String                   COMMENT 'ETag of that object',
    source_version       String                   COMMENT 'Version of that object, if its bucket keeps versions',
    token                String                   COMMENT 'Deduplication token of the INSERT',
    state                Enum8('started' = 1, 'acknowledged' = 2, 'abandoned' = 3) COMMENT 'What is known of it',
    lines                String                   COMMENT 'Lines of the object in the INSERT: 1-20,22' CODEC(ZSTD(1)),
    recorded_at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was recorded',

    INDEX token_index token TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (source_file, source_etag, token, state)
COMMENT 'INSERTs of the xAPI ETL: an acknowledged one is not sent again';
