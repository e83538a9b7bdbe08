"""HTTPS serving on aiohttp: admission and operations listeners, draining, worker processes."""
