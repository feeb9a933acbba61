"""A notebook: a portfolio under every margin mode, and the margin kernel by hand."""

# %% [markdown]
# # Which margin mode?
#
# A portfolio under every margin mode of the exchange, by its own rules, on simulated days. Open this file as a
# notebook (VS Code, Jupytext) and run the cells, or run it as a program: `python examples/lab_notebook.py`.

# %%
from pathlib import Path

import numpy as np

from bulkhead.lab.choice.comparison import Setting, compare
from bulkhead.lab.choice.page import page_of
from bulkhead.lab.choice.verdict import title
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.pages import write
from bulkhead.lab.portfolio import load_portfolio
from bulkhead.lab.worlds import world_of

# %% [markdown]
# ## A portfolio
#
# From a file: TOML, or the JSON that ccxt gives of any exchange.

# %%
held = load_portfolio(Path("examples/portfolios/hybrid.toml"))
print(f"{held.name}: {held.collateral:,.0f} USD behind {held.gross:,.0f} in {', '.join(held.symbols)}")

# %% [markdown]
# ## The comparison
#
# Every set of positions is simulated once; every partition of them is then a sum.

# %%
setting = Setting(world="regimes", seed=1, days=2, paths=500, broken_paths=100)
found = compare(held, setting, command="python examples/lab_notebook.py")
for mode in found.modes:
    liquidated, lost = mode.any_liquidated, mode.shortfall
    print(
        f"{title(mode):40}  liquidated {100 * liquidated.value:5.1f} % ({100 * liquidated.low:.1f} to "
        f"{100 * liquidated.high:.1f})   the worst lose {lost.value:8,.0f} ({lost.low:,.0f} to {lost.high:,.0f})"
    )
print(found.recommendation)
for sentence in found.against:
    print("against:", sentence)

# %% [markdown]
# ## The same kernel, by hand
#
# How much collateral does the cross account need so that it is liquidated on one path in a hundred? One account for
# each amount, all on the same paths.

# %%
from bulkhead.lab.choice.sample import lots_of, venue_for  # noqa: E402

venue = venue_for(held)
amounts = np.linspace(0.5, 2.0, 7) * held.collateral
accounts = Accounts.of_lots(venue, np.tile(lots_of(venue, held), (len(amounts), 1)), amounts)
world = world_of("regimes", seed=2, symbols=held.symbols)
hits = sum(
    run(venue, accounts, chunk).is_liquidated.sum(axis=0) for chunk in world.chunks(setting.paths, setting.steps)
)
for amount, count in zip(amounts, np.asarray(hits), strict=True):
    print(f"{amount:10,.0f} USD: liquidated on {count} of {setting.paths} paths")

# %% [markdown]
# ## A page to keep

# %%
print(write(page_of(found), Path("hybrid.html")), "has the plots")
