"""What corpora come in: a reader for each format, which gives blocks of documents."""
