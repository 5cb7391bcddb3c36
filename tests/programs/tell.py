"""Tells an Emperor of a vassal: address, name, file with its config."""

import sys

import zmq

context = zmq.Context()
socket = context.socket(zmq.PUSH)
socket.connect(sys.argv[1])
socket.send_multipart([b"touch", sys.argv[2].encode(), open(sys.argv[3], "rb").read()])
socket.close()
context.term()
