"""The screen Settlement: the way of everything to L1, money in and out of it, and leaving with the operator gone."""
