"""Where evidence files lie: one Protocol, a folder by default, an S3-compatible bucket by configuration."""
