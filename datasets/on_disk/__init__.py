"""Corpora in folders of Parquet files: writing, shuffling, reading shard by shard."""
