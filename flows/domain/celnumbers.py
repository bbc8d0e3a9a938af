"""`decimal(x)`: exact numbers for money, which CEL has none of; and `date(...)`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from flows.domain.celdeclare import function

DECIMAL_TYPE: Final = "disttask.Decimal"
MAX_DIGITS: Final = 60
_INT: Final = cel.Type.INT
_STRING: Final = cel.Type.STRING
_DYN: Final = cel.Type.DYN
_BOOL: Final = cel.Type.BOOL


class _Zone:
    name = "UTC"


def set_time_zone(name: str) -> None:
    """The zone `date(...)` uses where none is given: `[app] time_zone`."""
    ZoneInfo(name)
    _Zone.name = name


def _decimal_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="disttask/decimal.proto", package="disttask", syntax="proto3")
    message = file.message_type.add(name="Decimal")
    message.field.add(
        name="value",
        number=1,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    )
    return file


POOL: Final = descriptor_pool.DescriptorPool()
POOL.AddSerializedFile(_decimal_file().SerializeToString())
_Decimal: Final[Any] = message_factory.GetMessageClass(POOL.FindMessageTypeByName(DECIMAL_TYPE))
_CONTEXT: Final = Context(prec=MAX_DIGITS)


def is_decimal(value: Any) -> bool:
    return isinstance(value, _Decimal)


def _wrap(number: Decimal) -> Any:
    """A decimal in its one form: plain digits, no exponent, no trailing zeros; so equal ones are equal texts."""
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError(f"decimal: {str(number)[:40]} is out of range")
    plain = format(number.normalize(_CONTEXT), "f")
    return _Decimal(value="0" if plain in ("-0", "0") else plain)


def _to_decimal(value: Any) -> Any:
    if is_decimal(value):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("decimal: a number or a text with a number is needed")
    written = repr(value) if isinstance(value, float) else str(value)
    try:
        number = Decimal(written if len(written) <= 2 * MAX_DIGITS else "")
    except InvalidOperation:
        raise ValueError(f"decimal: {written[:40]!r} is not a number") from None
    return _wrap(number)


def _rounded(value: Any, places: int) -> str:
    """`decimal(x, 2)`: a text with so many places, halves away from zero as money is rounded."""
    if not 0 <= places <= 30:
        raise ValueError("decimal: places must be from 0 to 30")
    number = Decimal(_to_decimal(value).value)
    try:
        rounded = number.quantize(Decimal(1).scaleb(-places), rounding="ROUND_HALF_UP", context=_CONTEXT)
    except InvalidOperation:
        raise ValueError("decimal: too many digits for so many places") from None
    return f"{rounded:f}"


def _divide(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise ValueError("decimal: division by zero")
    return _CONTEXT.divide(left, right)


def _on_decimals(operation: Callable[[Decimal, Decimal], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        result = operation(Decimal(_to_decimal(left).value), Decimal(_to_decimal(right).value))
        return _wrap(result) if isinstance(result, Decimal) else result

    return apply


def _date(moment: Any, offset_days: int = 0, zone: str = "") -> str:
    """The calendar day of a time in a zone, some days on: `2026-11-23`."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise ValueError(f"date: {moment[:40]!r} is not an RFC 3339 time") from None
    if not isinstance(moment, datetime):
        raise ValueError("date: a time is needed")
    try:
        where = ZoneInfo(zone or _Zone.name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"date: the time zone {zone[:40]!r} is not known") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=where)
    try:
        day: datetime = moment.astimezone(where) + timedelta(days=offset_days)
    except OverflowError:
        raise ValueError("date: the day is out of range") from None
    return day.date().isoformat()


def declarations() -> list[Any]:
    kind = cel.Type(DECIMAL_TYPE)
    pairs = ((kind, kind), (kind, _INT), (_INT, kind))

    def operator(sign: str, result: Any, operation: Callable[[Decimal, Decimal], Any]) -> Any:
        return function(f"_{sign}_", *((_on_decimals(operation), result, pair) for pair in pairs))

    return [
        function("decimal", (_to_decimal, kind, (_DYN,)), (_rounded, _STRING, (_DYN, _INT))),
        function("-_", (lambda number: _wrap(-Decimal(number.value)), kind, (kind,))),
        operator("+", kind, _CONTEXT.add),
        operator("-", kind, _CONTEXT.subtract),
        operator("*", kind, _CONTEXT.multiply),
        operator("/", kind, _divide),
        operator("<", _BOOL, Decimal.__lt__),
        operator("<=", _BOOL, Decimal.__le__),
        operator(">", _BOOL, Decimal.__gt__),
        operator(">=", _BOOL, Decimal.__ge__),
        function("string", (lambda number: number.value, _STRING, (kind,))),
        function("double", (lambda number: float(number.value), cel.Type.DOUBLE, (kind,))),
        function(
            "date", (_date, _STRING, (_DYN,)), (_date, _STRING, (_DYN, _INT)), (_date, _STRING, (_DYN, _INT, _STRING))
        ),
    ]
