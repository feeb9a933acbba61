"""Every screen, by importing it: each registers itself with `shell.screen`."""

import bulkhead.terminal.compare.screen
import bulkhead.terminal.keys.screen
import bulkhead.terminal.operator.screen
import bulkhead.terminal.risk.screen
import bulkhead.terminal.settlement.screen
import bulkhead.terminal.trade.screen  # noqa: F401
