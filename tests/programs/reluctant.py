# Says PACKET (in hexadecimal) at the socket PATH twice, and leaves there descriptors whose end takes an hour: with the packet, and
# behind it.
import array, os, socket, struct, sys
path, packet = sys.argv[1], bytes.fromhex(sys.argv[2])
door = socket.create_server(("127.0.0.1", 0))
asked = []
for empty in (False, True):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    tcp = socket.create_connection(door.getsockname())
    tcp.setblocking(False)
    try:
        while True: tcp.send(bytes(65536))
    except BlockingIOError: pass
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tcp.fileno()]))]
    if empty:
        s.sendmsg([packet])
        s.sendmsg([b""])
        s.sendmsg([b""], rights)
    else:
        s.sendmsg([packet], rights)
    tcp.close()
    asked.append(s)
print("sent", flush=True)
for s in asked:
    s.settimeout(20)
    try: s.recv(65536)
    except ConnectionResetError: pass
os._exit(0)
