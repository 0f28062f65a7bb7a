"""The reference algorithm of each service, written out plainly.

The ratios of the bench are relative to these modules.
"""

__all__ = ["csv_streamer", "data_aggregator", "dataset_download", "xapi_etl", "zip_jobs"]
