"""Time: `time.*`."""

from webhook.rego.builtins.declaration import Builtin, declare, deferred
from webhook.rego.builtins.signatures import NUMBER, STRING, ArrayOf, OneOf

_MODULE = "webhook.rego.builtins.instants"
_ZONED = ArrayOf(None, (NUMBER, STRING))
_TIME = OneOf((NUMBER, _ZONED))
_FORMATTED = OneOf((NUMBER, _ZONED, ArrayOf(None, (NUMBER, STRING, STRING))))
_THREE = ArrayOf(None, (NUMBER,) * 3)
_SIX = ArrayOf(None, (NUMBER,) * 6)

BUILTINS: tuple[Builtin, ...] = (
    declare(
        "time.now_ns",
        (),
        {"now": NUMBER},
        deferred(_MODULE, "now_ns"),
        needs_context=True,
        deterministic=False,
    ),
    declare(
        "time.parse_ns", {"layout": STRING, "value": STRING}, {"ns": NUMBER}, deferred(_MODULE, "parse_ns")
    ),
    declare(
        "time.parse_rfc3339_ns", {"value": STRING}, {"ns": NUMBER}, deferred(_MODULE, "parse_rfc3339_ns")
    ),
    declare(
        "time.parse_duration_ns", {"duration": STRING}, {"ns": NUMBER}, deferred(_MODULE, "parse_duration_ns")
    ),
    declare(
        "time.format", {"x": _FORMATTED}, {"formatted timestamp": STRING}, deferred(_MODULE, "format_time")
    ),
    declare("time.date", {"x": _TIME}, {"date": _THREE}, deferred(_MODULE, "date")),
    declare("time.clock", {"x": _TIME}, {"output": _THREE}, deferred(_MODULE, "clock")),
    declare("time.weekday", {"x": _TIME}, {"day": STRING}, deferred(_MODULE, "weekday")),
    declare(
        "time.add_date",
        {"ns": NUMBER, "years": NUMBER, "months": NUMBER, "days": NUMBER},
        {"output": NUMBER},
        deferred(_MODULE, "add_date"),
    ),
    declare("time.diff", {"ns1": _TIME, "ns2": _TIME}, {"output": _SIX}, deferred(_MODULE, "difference")),
)
