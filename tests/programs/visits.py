# Connects to the socket PATH as often as COUNT says, at once, and leaves at each connection a descriptor whose end takes an hour,
# before anybody has let it in; then goes from there. Where descriptors are refused a byte is left. It ends with its standard input.
import array, os, socket, struct, sys
path, count = sys.argv[1], int(sys.argv[2])
door = socket.create_server(("127.0.0.1", 0), backlog=count)
made = []
for _ in range(count):
    tcp = socket.create_connection(door.getsockname())
    tcp.setblocking(False)
    try:
        while True: tcp.send(bytes(65536))
    except BlockingIOError: pass
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    made.append(tcp)
refused = 0
visits = []
for _ in made:
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try: s.connect(path)
    except BlockingIOError: break
    visits.append(s)
for s, tcp in zip(visits, made):
    try: s.sendmsg([b"GET / HTTP/1.0\r\n\r\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tcp.fileno()]))])
    except PermissionError:
        refused += 1
        try: s.send(b"x")
        # He was sent away meanwhile.
        except (BrokenPipeError, ConnectionResetError): pass
        continue
    except (BrokenPipeError, ConnectionResetError): continue
    tcp.close()
for one in visits: one.close()
print(len(visits), refused, flush=True)
sys.stdin.read()
os._exit(0)
