"""What the screens show: models that feeds keep, each with the time of its last update."""
