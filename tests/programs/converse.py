"""One connection of TCP: each line of standard input is sent, and each answer is printed."""
import socket, sys

connection = socket.create_connection((sys.argv[1], 7777), 30)
connection.settimeout(None)
print("connected", flush=True)
answers = connection.makefile("r")
for line in sys.stdin:
    connection.sendall(line.encode())
    print(answers.readline().strip(), flush=True)
