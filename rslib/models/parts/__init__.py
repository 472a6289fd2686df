"""What additive models are sums of; see `rslib.models.additive`."""
