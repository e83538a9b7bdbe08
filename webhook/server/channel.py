"""What a worker process tells its supervisor, and the stream that carries it.

Owns messages and frames. Must not know what is done with them.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import TypeAlias, cast

import msgspec

from webhook.server.checks import NamedHealth
from webhook.telemetry.metrics import MetricsReport

_log = logging.getLogger(__name__)
_LENGTH = struct.Struct("!I")
_LARGEST_FRAME = 64 * 1024 * 1024
# A supervisor that does not read for long gets no more; the numbers stay in the worker until it does.
_WAITING_BYTES = 1024 * 1024


class Report(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="report"):
    """A few times a second: what was counted since the last report, and how the worker is."""

    metrics: MetricsReport
    checks: tuple[NamedHealth, ...]


class StartFailure(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="failure"):
    """Once, before the end: why the worker cannot serve."""

    message: str
    """One line for a person."""


Message: TypeAlias = Report | StartFailure


class Channel(asyncio.Protocol):
    """One end of the stream between a worker and its supervisor."""

    def __init__(self, heard: Callable[[Message], None], lost: Callable[[], None]) -> None:
        """Take who hears of messages, and of the other end's death."""
        self._heard = heard
        self._lost = lost
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Message)
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the other end keeps up."""
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() < _WAITING_BYTES

    def send(self, message: Message) -> None:
        """Send a message; a dead other end gets none."""
        if self._transport is not None and not self._transport.is_closing():
            frame = self._encoder.encode(message)
            self._transport.write(_LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        """Close after what was sent has gone out."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand over every message that is complete."""
        received = self._received
        received += data
        while len(received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received)
            end = _LENGTH.size + length
            if length > _LARGEST_FRAME:
                self.close()
                return
            if len(received) < end:
                return
            frame = bytes(received[_LENGTH.size : end])
            del received[:end]
            try:
                message = self._decoder.decode(frame)
            except msgspec.DecodeError as error:
                # Better to miss one report than to lose the worker that serves.
                _log.error("a message was not understood", exc_info=error)
                continue
            self._heard(message)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell that the other end is gone."""
        self._transport = None
        self._lost()
