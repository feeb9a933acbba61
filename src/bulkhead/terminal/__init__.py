"""The trader's terminal: screens in a browser, served from his own machine, over `bulkhead.client` alone."""
