"""Ethereum as the exchange sees it: a client for any node, an embedded chain, and the deployment of the contracts."""
