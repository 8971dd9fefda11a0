"""A stronger yardstick than pg_recvlogical: takes a slot's stream off the socket and looks at nothing but how much came. Between reads
it pauses, so that the server's sender is not held up by waking a reader for each message, as it is by pg_recvlogical."""
import socket
import struct
import time

FRAME_BYTES = 30  # CopyData's head, 'w', three numbers: around each message


def _message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def _until_ready(sock, mark):
    got = b""
    while mark not in got:
        piece = sock.recv(65536)
        assert piece, f"the server hung up: {got!r}"
        got += piece
        assert not got.startswith(b"E"), got
    return got


def drain(port, database, slot, publication, stream_bytes, pause=0.001):
    """Seconds from connecting until so many bytes of the stream have come."""
    start = time.monotonic()
    sock = socket.create_connection(("127.0.0.1", port))
    settings = f"user\0postgres\0database\0{database}\0replication\0database\0\0".encode()
    sock.sendall(_message(b"", struct.pack("!I", 196608) + settings))
    _until_ready(sock, b"Z\0\0\0\5I")  # trust: no password is asked for
    query = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{publication}')\0"
    sock.sendall(_message(b"Q", query.encode()))
    room = bytearray(1 << 20)
    got = 0
    sock.settimeout(30)
    while got < stream_bytes:
        piece = sock.recv_into(room)
        assert piece, f"the server hung up after {got} of {stream_bytes} bytes"
        got += piece
        if pause:
            time.sleep(pause)
    took = time.monotonic() - start
    sock.close()
    return took
