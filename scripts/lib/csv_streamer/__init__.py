"""Steps of the CSV streamer's scripts: invoke the function, show its progress, check an object.

The shell scripts run these modules with `run_python`. No other folder imports them.
"""

__all__ = ["compare_object", "stream_files"]
