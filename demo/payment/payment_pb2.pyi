from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class DeductRequest(_message.Message):
    __slots__ = ("user_id", "amount", "order_id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    amount: int
    order_id: str
    def __init__(self, user_id: _Optional[str] = ..., amount: _Optional[int] = ..., order_id: _Optional[str] = ...) -> None: ...

class DeductReply(_message.Message):
    __slots__ = ("code", "message", "payment_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    payment_id: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., payment_id: _Optional[str] = ...) -> None: ...
