"""A trail in an S3 bucket: objects of one or more events, each written once."""
