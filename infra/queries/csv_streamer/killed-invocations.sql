-- Which invocations ended without an answer: out of time, out of memory, or by an error that nobody caught?
SELECT "@timestamp", "@requestId", "@message"
FROM logs
WHERE regexp_matches("@message", 'Task timed out|Runtime exited|signal: killed|OutOfMemory|^\[ERROR\]|^Traceback')
ORDER BY "@timestamp" DESC
LIMIT 200
