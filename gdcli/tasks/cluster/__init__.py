"""Fits on a Dask cluster, of which the scheduler alone is used: partitions stay where they are read."""
