"""Counts its visitors in the redis beside it."""
import os
import socket


def application(environ, start_response):
    with socket.create_connection(("127.0.0.1", 6379)) as redis:
        redis.sendall(b"INCR visitors\r\n")
        visitors = redis.recv(64).decode().strip(":\r\n")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.environ['GREETING']}, visitor {visitors}\n".encode()]
