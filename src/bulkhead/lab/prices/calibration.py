"""Numbers of real markets that simulated worlds are drawn from.

Measured on hourly bars of the USDT perpetuals on Binance, 2020-01 to 2026-05 (public klines). A jump is an hourly log
return of more than five standard deviations of the week before. Only these statistics are here, none of the prices.
"""

from typing import NamedTuple


class Market(NamedTuple):
    """One market. Rates are per year, log returns are per hour."""

    volatility: float  # standard deviation of log returns, annual, jumps included
    jumps: float  # jumps a year
    jump_mean: float
    jump_deviation: float
    joint: float  # chance of a jump here in an hour in which BTC jumps
    beta: float  # return here for a return of 1 in BTC, in BTC's worst thousandth of hours
    start: float  # USD for one coin at which a simulated world begins: an order of magnitude, not a measurement


MARKETS = {
    "BTC": Market(0.623, 41.5, -0.0062, 0.0404, 1.00, 1.00, 60_000.0),
    "ETH": Market(0.805, 33.7, -0.0098, 0.0513, 0.46, 1.06, 3_000.0),
    "LTC": Market(0.935, 33.2, -0.0170, 0.0680, 0.34, 1.24, 80.0),
    "BCH": Market(0.960, 36.2, 0.0001, 0.0729, 0.30, 1.25, 400.0),
    "XRP": Market(1.029, 41.3, -0.0042, 0.0729, 0.30, 1.17, 0.6),
    "ADA": Market(1.031, 27.8, -0.0097, 0.0731, 0.28, 1.16, 0.5),
}

# Correlations of hourly returns, in the order of MARKETS.
CORRELATION = (
    (1.00, 0.84, 0.74, 0.70, 0.62, 0.69),
    (0.84, 1.00, 0.77, 0.71, 0.65, 0.73),
    (0.74, 0.77, 1.00, 0.74, 0.66, 0.71),
    (0.70, 0.71, 0.74, 1.00, 0.60, 0.65),
    (0.62, 0.65, 0.66, 0.60, 1.00, 0.67),
    (0.69, 0.73, 0.71, 0.65, 0.67, 1.00),
)
