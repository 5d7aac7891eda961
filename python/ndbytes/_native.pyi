from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

__version__: str

_Array = np.ndarray[Any, Any]
_Progress = Callable[[int, int], object]
_Trials = tuple[int, list[tuple[str, int]]]
_Facts = tuple[tuple[int, ...], bool, np.dtype[Any], int]

def append_frame(
    path: str,
    a: Any,
    durable: bool,
    codec: str | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> None: ...
def append_npz(
    path: str,
    members: list[tuple[str, Any]],
    codec: str | None,
    level: int | None,
    threads: int | None,
    durable: bool,
    progress: _Progress | None,
) -> None: ...
def array_over(
    subtype: type[Any],
    buffer: Any,
    dtype: Any,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int,
) -> Any: ...
def blosc_decode(data: Any, max_bytes: int, start: int | None, count: int) -> bytes: ...
def blosc_encode(
    data: Any,
    codec: str,
    level: int,
    filter: str,
    typesize: int,
    block_size: int | None,
    split: bool | None,
) -> bytes: ...
def compress(data: Any, codec: str, level: int | None, threads: int | None = None) -> bytes: ...
def decompress(
    data: Any, codec: str, max_bytes: int | None, threads: int | None = None
) -> bytes: ...
def dumps(
    a: Any,
    /,
    codec: str | None = None,
    *,
    chunks: tuple[int, ...] | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> bytes: ...
def encode_header(
    dtype: Any,
    fortran_order: bool,
    shape: tuple[int, ...],
    version: tuple[int, int] | None = None,
) -> bytes: ...
def explain_frame(
    a: Any, codec: str, chunks: tuple[int, ...] | None = None
) -> tuple[
    str,
    tuple[int, ...],
    _Trials | None,
    list[tuple[tuple[int, ...], tuple[int, ...], str, _Trials | None, bool]],
]: ...
def export_zarr(
    path: str, folder: str, link: bool, durable: bool, progress: _Progress | None = None
) -> None: ...
def fromfile_fd(fd: int, dtype: Any, shape: tuple[int, ...], order: str, offset: int) -> _Array: ...
def fromfile_file(file: Any, dtype: Any, shape: tuple[int, ...], order: str) -> _Array: ...
def load_file(
    file: Any,
    prefix: bytes,
    out: _Array | None = None,
    max_header_size: int | None = None,
    max_bytes: int | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> _Array: ...
def load_path(
    path: str,
    out: _Array | None = None,
    max_header_size: int | None = None,
    max_bytes: int | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> _Array: ...
def load_remote(
    file: RemoteFile,
    out: _Array | None = None,
    max_header_size: int | None = None,
    max_bytes: int | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> _Array: ...
def loads(
    data: Any,
    *,
    copy: bool = False,
    max_header_size: int = 65536,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> _Array: ...
def npy_header(a: Any) -> bytes: ...
def parse_header(
    data: bytes,
    max_header_size: int | None = None,
    max_bytes: int | None = None,
    out: _Array | None = None,
) -> _Facts: ...
def parse_prelude(data: bytes, max_header_size: int | None = None) -> int: ...
def read_header(file: Any, prefix: bytes, max_header_size: int | None = None) -> _Facts: ...
def recv_fd(
    fd: int,
    out: _Array | None,
    timeout: float | None,
    socket: bool,
    max_bytes: int | None,
    max_header_size: int | None,
    progress: _Progress | None = None,
) -> _Array: ...
def save_file(
    file: Any,
    a: Any,
    version: tuple[int, int] | None = None,
    progress: _Progress | None = None,
) -> None: ...
def save_frame_file(
    file: Any,
    a: Any,
    codec: str,
    chunks: tuple[int, ...] | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> None: ...
def save_path(
    path: str,
    a: Any,
    durable: bool,
    codec: str | None = None,
    chunks: tuple[int, ...] | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> None: ...
def save_remote(
    file: RemoteFile,
    a: Any,
    codec: str | None = None,
    chunks: Sequence[int] | None = None,
    threads: int | None = None,
    progress: _Progress | None = None,
) -> None: ...
def savez_file(
    file: Any,
    members: list[tuple[str, Any]],
    codec: str | None,
    level: int | None,
    threads: int | None,
    progress: _Progress | None,
) -> None: ...
def savez_remote(
    file: RemoteFile,
    members: list[tuple[str, Any]],
    codec: str | None,
    level: int | None,
    threads: int | None,
    progress: _Progress | None,
) -> None: ...
def savez_path(
    path: str,
    members: list[tuple[str, Any]],
    codec: str | None,
    level: int | None,
    threads: int | None,
    durable: bool,
    progress: _Progress | None,
) -> None: ...
def send_fd(
    fd: int,
    a: Any,
    timeout: float | None,
    socket: bool,
    codec: str | None = None,
    progress: _Progress | None = None,
) -> None: ...
def tobytes(a: Any, order: str | None = None, *, byteorder: str | None = None) -> bytes: ...
def tofile_file(file: Any, a: Any, order: str) -> None: ...
def tofile_path(path: str, a: Any, order: str, durable: bool) -> None: ...
def validate(a: Any) -> None: ...
def zarr_shard(folder: str) -> str: ...

@final
class FrameDecoder:
    def __new__(
        cls,
        head: bytes,
        out: _Array | None,
        max_header_size: int | None,
        max_bytes: int | None,
    ) -> FrameDecoder: ...
    @property
    def chunk_nbytes(self) -> int: ...
    def array(self) -> _Array: ...
    def decode(self, record: bytes) -> bool: ...
    def expect(self, prefix: bytes) -> int: ...
    @staticmethod
    def header_len(head: bytes, max_header_size: int | None) -> int: ...

@final
class FrameEncoder:
    def __new__(cls, a: Any, codec: str) -> FrameEncoder: ...
    def encode(self) -> bytes: ...

@final
class RemoteFile:
    def __new__(
        cls,
        url: str,
        headers: list[tuple[str, str]],
        token: str | None,
        authorities: str | None,
        timeout: float,
        retries: int,
        whole: int | None,
    ) -> RemoteFile: ...
    def first(self, len: int) -> bytes: ...
    def size(self) -> int: ...

@final
class NpyReader:
    @staticmethod
    def from_file(file: Any, max_header_size: int | None, max_bytes: int | None) -> NpyReader: ...
    @staticmethod
    def from_remote(
        file: RemoteFile, max_header_size: int | None, max_bytes: int | None
    ) -> NpyReader: ...
    def close(self) -> None: ...
    def facts(self) -> _Facts: ...
    def read(self, out: _Array | None = None, progress: _Progress | None = None) -> _Array: ...
    def read_slice(
        self, start: Sequence[int], step: Sequence[int], shape: Sequence[int]
    ) -> Any: ...
    def size(self) -> int: ...

@final
class FrameReader:
    @staticmethod
    def from_file(file: Any, max_header_size: int | None, max_bytes: int | None) -> FrameReader: ...
    @staticmethod
    def from_path(path: str, max_header_size: int | None, max_bytes: int | None) -> FrameReader: ...
    @staticmethod
    def from_remote(
        file: RemoteFile, max_header_size: int | None, max_bytes: int | None
    ) -> FrameReader: ...
    def chunk(self, number: int) -> tuple[tuple[int, ...], tuple[int, ...], int, int, str]: ...
    def chunk_count(self) -> int: ...
    def chunks(self) -> tuple[tuple[int, ...], str]: ...
    def close(self) -> None: ...
    def facts(self) -> _Facts: ...
    def read(
        self,
        start: Sequence[int],
        step: Sequence[int],
        shape: Sequence[int],
        out: _Array | None = None,
        progress: _Progress | None = None,
    ) -> _Array: ...
    def size(self) -> int: ...

@final
class NpzReader:
    @staticmethod
    def from_file(file: Any, max_header_size: int | None, max_bytes: int | None) -> NpzReader: ...
    @staticmethod
    def from_path(path: str, max_header_size: int | None, max_bytes: int | None) -> NpzReader: ...
    @staticmethod
    def from_remote(
        file: RemoteFile, max_header_size: int | None, max_bytes: int | None
    ) -> NpzReader: ...
    def close(self) -> None: ...
    def duplicate(self) -> int: ...
    def facts(self, name: str) -> _Facts: ...
    def is_array(self, name: str) -> bool: ...
    def locate(self, name: str) -> tuple[_Facts, int]: ...
    def names(self) -> list[str]: ...
    def read(
        self, name: str, threads: int | None = None, progress: _Progress | None = None
    ) -> Any: ...
    def read_several(
        self,
        names: list[str],
        threads: int | None = None,
        progress: _Progress | None = None,
    ) -> list[_Array]: ...
    def read_slice(
        self,
        name: str,
        start: list[int],
        step: list[int],
        shape: list[int],
        threads: int | None = None,
    ) -> _Array: ...

@final
class Wire:
    def __new__(
        cls,
        object: Any | None,
        timeout: float | None,
        max_bytes: int | None,
        max_header_size: int | None,
    ) -> Wire: ...
    def flush(self, fd: int) -> None: ...
    def recv(self, fd: int, out: _Array | None) -> _Array: ...
    def send(self, fd: int, a: Any, more: bool) -> None: ...

@final
class Link:
    def abort(self) -> None: ...
    def ack(self) -> None: ...
    def close(self) -> None: ...
    def flush(self) -> None: ...
    def peer(self) -> str: ...
    def recv(
        self, out: _Array | None, progress: Callable[[int, int], object] | None
    ) -> tuple[_Array | tuple[int, int], str | None, str | None] | None: ...
    def send_shared(self, fd: int, name: str | None, meta: str | None) -> int: ...
    def send(
        self,
        a: Any,
        name: str | None,
        meta: str | None,
        codec: str | None,
        more: bool,
        progress: Callable[[int, int], object] | None,
    ) -> int: ...
    def sync(self) -> None: ...

@final
class Listener:
    def __new__(
        cls,
        address: str,
        timeout: float | None,
        max_bytes: int | None,
        max_header_size: int | None,
        tokens: str | None,
        cert: str | None,
        key: str | None,
        insecure: bool,
        ack: bool,
        max_connections: int,
    ) -> Listener: ...
    def accept(self, timeout: float | None) -> Link | None: ...
    def address(self) -> str: ...
    def close(self) -> None: ...

def connect(
    address: str,
    timeout: float | None,
    max_bytes: int | None,
    max_header_size: int | None,
    plain: bool,
    token: str | None,
    authorities: str | None,
    insecure: bool,
    ack: bool,
) -> Link: ...
def link(
    read: int | None,
    write: int | None,
    timeout: float | None,
    max_bytes: int | None,
    max_header_size: int | None,
    plain: bool,
    ack: bool,
) -> Link: ...
def create_shared(one: Any, shape: Sequence[int], fortran: bool) -> tuple[int, int, int]: ...
