"""A server of the world: answers each line of TCP, and each datagram, on port 7777, and says who asks."""
import socket, sys, threading

def stream(connection, sender):
    for line in connection.makefile("rb"):
        print("tcp", sender, line.decode().strip(), flush=True)
        connection.sendall(b"answer " + line)

def streams(listener):
    while True:
        connection, (sender, _) = listener.accept()
        threading.Thread(target=stream, args=(connection, sender), daemon=True).start()

listener = socket.create_server(("0.0.0.0", 7777))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("0.0.0.0", 7777))
threading.Thread(target=streams, args=(listener,), daemon=True).start()
print("ready", flush=True)
while True:
    text, (sender, port) = datagrams.recvfrom(2000)
    print("udp", sender, text.decode().strip(), flush=True)
    datagrams.sendto(b"answer " + text, (sender, port))
