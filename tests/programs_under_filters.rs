//! Programs of the host as a tenant's, in a jail with the default filter: each does what it is there for.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod neighbour;

use std::path::Path;
use std::process::Command;

use common::{ALICE, Emperor, Tree};
use neighbour::{JAILS, alices, rule};

/// True when it is there; else says that nothing is tried.
fn is_there(program: &str) -> bool {
    let there = Path::new(program).exists();
    if !there {
        eprintln!("skipped: {program} is not installed");
    }
    there
}

/// Runs a shell script as Alice's vassal in each jail, and waits until it has said what it is to say.
fn says(script: &str, wanted: &str) {
    for jail in JAILS {
        let tree = Tree::new();
        let home = tree.dir_of(ALICE, "alice").display().to_string();
        let script =
            tree.script("script", &format!("export HOME={home}\ncd {home}\n{script}\nexec sleep 1000000"));
        alices(&tree, "x.ini", &format!("command = {}\n", script.display()));
        let (emperor, neighbour) = rule(tree, jail, &[]);
        emperor.wait_for_line(|line| line == wanted);
        filtered(&emperor);
        neighbour.assert_served();
    }
}

fn filtered(emperor: &Emperor) {
    let command = emperor.vassal("x.ini").child();
    assert_eq!((command.status("Seccomp"), command.status("NoNewPrivs")), ("2".into(), "1".into()));
}

#[test]
fn busybox_and_the_shell_pipe_sort_and_compress() {
    if is_there("/usr/bin/busybox") || is_there("/bin/busybox") {
        let script = "seq 1 500 | busybox sort -n | busybox gzip > a.gz && busybox gunzip -c a.gz | busybox tail -1 | \
                      sed 's/^/busybox /'; busybox tar cf a.tar a.gz && busybox tar tf a.tar > /dev/null";
        says(script, "busybox 500");
    }
}

#[test]
fn python_has_threads_processes_sockets_and_files() {
    let script = r#"/usr/bin/python3 - <<'END'
import asyncio, concurrent.futures, multiprocessing, os, select, sqlite3, ssl, subprocess, tempfile
with concurrent.futures.ThreadPoolExecutor(4) as pool: assert sum(pool.map(abs, range(9))) == 36
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
assert subprocess.check_output(["echo", "x"]) == b"x\n"
sqlite3.connect("a.db").execute("create table t (a)"); ssl.create_default_context(); select.epoll().close()
async def talk():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2]); await reader.read()
asyncio.run(talk()); tempfile.TemporaryFile().close(); os.sched_getaffinity(0)
print("python works", flush=True)
END"#;
    says(script, "python works");
}

#[test]
fn redis_serves_and_saves() {
    // The server is the same file under another name, which comes without a service that starts by itself.
    if is_there("/usr/bin/redis-check-rdb") && is_there("/usr/bin/redis-cli") {
        let script = "ln -s /usr/bin/redis-check-rdb redis-server\n\
                      ./redis-server --port 6390 --save '' --appendonly yes --dir . > redis.log 2>&1 &\n\
                      until redis-cli -p 6390 ping 2>/dev/null | grep -q PONG; do sleep 0.1; done\n\
                      redis-cli -p 6390 set a redis-works > /dev/null; redis-cli -p 6390 bgsave > /dev/null\n\
                      redis-cli -p 6390 --raw get a";
        says(script, "redis-works");
    }
}

#[test]
fn node_has_threads_timers_and_files() {
    if is_there("/usr/bin/node") {
        let script = r#"node -e "
const fs = require('fs'), net = require('net'), { Worker } = require('worker_threads');
const server = net.createServer(s => s.end('hello')).listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').on('data', d => {
  fs.promises.writeFile('n.txt', d).then(() => new Worker('require(\'worker_threads\').parentPort.postMessage(1)', { eval: true })
    .on('message', () => { console.log('node works'); server.close(); }));
}));""#;
        says(script, "node works");
    }
}

#[test]
fn java_starts_and_has_threads() {
    if is_there("/usr/bin/java") {
        let script = r#"cat > A.java <<'END'
public class A { public static void main(String[] a) throws Exception {
  Thread one = new Thread(() -> {}); one.start(); one.join();
  new ProcessBuilder("true").start().waitFor(); System.gc(); System.out.println("java works"); } }
END
java A.java || java -version 2>&1 | grep -q . && echo java works"#;
        says(script, "java works");
    }
}

/// A server for shells, as an ordinary user: keys, encryption, and a no to somebody who is nobody.
#[test]
fn dropbear_shakes_hands_and_refuses_a_stranger() {
    if is_there("/usr/sbin/dropbear") && is_there("/usr/bin/dbclient") {
        let known = Command::new("getent").args(["passwd", &ALICE.to_string()]).output().unwrap();
        let script = "dropbearkey -t ed25519 -f host > /dev/null 2>&1 && dropbear -F -E -r host -p 127.0.0.1:2222 -P d.pid > d.log 2>&1 &\n\
                      until grep -q 'background' d.log 2>/dev/null; do sleep 0.1; done\n\
                      dbclient -y -y -p 2222 somebody@127.0.0.1 true > c.log 2>&1; grep -q -i 'permission denied\\|No auth methods\\|Exited' c.log && echo dropbear answers";
        assert!(known.stdout.is_empty(), "there is a user of that id");
        says(script, "dropbear answers");
    }
}
