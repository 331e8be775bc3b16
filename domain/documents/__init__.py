"""Documents owed to authorities as typed models, assembled from the record without any I/O."""
