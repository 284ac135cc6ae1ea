"""A trail in an S3 bucket: one object per event, written once."""
