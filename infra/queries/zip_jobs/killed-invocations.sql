-- Which invocations ended without a word: out of time, out of memory, or crashed?
SELECT "@timestamp", "@requestId", "@message"
FROM logs
WHERE regexp_matches("@message", 'Task timed out|Runtime exited|signal: killed|OutOfMemory')
ORDER BY "@timestamp" DESC
LIMIT 200
