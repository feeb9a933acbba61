"""The screen Trade: chart, book, trades, ticket, and what the account has."""
