//! Real daemons, as uWSGI's manual attaches them: each answers, comes back when it is killed, and is gone in the end.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::emperor::Place;
use super::told::{Court, kill, lives, until, with_word};

/// www-data: a user with a name, as some of these want.
const USER: u32 = 33;

/// A place with a directory `d` of the user's.
fn place(config: &str) -> Place {
    let place = Place::new(&format!("uid = www-data\ngid = www-data\nchdir = DIR/d\n{config}"));
    place.directory("d", USER, 0o755);
    place
}

/// What a server says to this over a unix socket, once it does.
fn answer(socket: &Path, question: &[u8]) -> String {
    until(&format!("an answer at {}", socket.display()), || {
        let mut stream = UnixStream::connect(socket).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(question).ok()?;
        let mut bytes = [0; 512];
        let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    })
}

#[test]
fn memcached_in_dumb_mode() {
    let config = "attach-daemon = memcached -s DIR/d/sock -a 700";
    check(config, "memcached", (b"version\r\n", "VERSION"));
}

#[test]
fn memcached_in_smart_mode() {
    let config = "smart-attach-daemon = DIR/d/pid memcached -d -P DIR/d/pid -s DIR/d/sock";
    check(config, "memcached", (b"version\r\n", "VERSION"));
}

#[test]
fn redis_in_both_modes() {
    let redis = "redis-server --port 0 --unixsocket DIR/d/sock --save '' --dir DIR/d";
    check(&format!("attach-daemon = {redis}"), "redis-server", (b"PING\r\n", "+PONG"));
    let config = format!("smart-attach-daemon = DIR/d/pid {redis} --daemonize yes --pidfile DIR/d/pid");
    check(&config, "redis-server", (b"PING\r\n", "+PONG"));
}

/// It answers, is killed, answers again as another process, survives a reload if it is smart, and is gone in the end.
fn check(config: &str, name: &str, (question, expected): (&[u8], &str)) {
    let place = place(config);
    let socket = place.path("d/sock");
    let mut court = Court::at(place);
    assert!(answer(&socket, question).starts_with(expected));
    let first = main_of(&mut court, name, 1, config);
    kill(first);
    let second = main_of(&mut court, name, 2, config);
    assert!(answer(&socket, question).starts_with(expected));
    court.forget();
    let path = court.place.path("v.ini");
    court.vassal.hand_over(1, &path);
    if config.contains("smart") {
        court.wait_pid(name, second);
        assert!(answer(&socket, question).starts_with(expected) && lives(second));
    }
    let outcome = match config.contains("smart") {
        true => court.stop(),
        // Without anybody who stays the master begins anew as another process.
        false => court.vassal.end(),
    };
    assert_eq!(outcome.code(), 0, "{}", outcome.errors);
    until("the end of it", || with_word(&socket.display().to_string()).is_empty().then_some(()));
}

/// Its process: where it has left for the background, the one that its pid file names.
fn main_of(court: &mut Court, name: &str, starts: u32, config: &str) -> i32 {
    if !config.contains("smart-attach-daemon =") {
        return court.wait(name, "running", starts);
    }
    let _ = court.wait(name, "running", starts);
    let pid = until("a pid file", || court.place.read("d/pid").trim().parse().ok().filter(|pid| lives(*pid)));
    court.wait_pid(name, pid);
    pid
}

#[test]
fn two_daemons_of_one_kind_have_their_own_pid_files() {
    let one = |number: u32| {
        format!(
            "smart-attach-daemon2 = DIR/d/{number}.pid redis-server --port 0 --unixsocket DIR/d/{number}.sock --save '' --dir DIR/d\n"
        )
    };
    let place = place(&(one(1) + &one(2)));
    let sockets = [place.path("d/1.sock"), place.path("d/2.sock")];
    let mut court = Court::at(place);
    sockets.iter().for_each(|socket| assert!(answer(socket, b"PING\r\n").starts_with("+PONG")));
    let pids = [court.wait("redis-server", "running", 1), court.wait("redis-server-2", "running", 1)];
    for (file, pid) in ["d/1.pid", "d/2.pid"].iter().zip(pids) {
        assert_eq!(court.place.read(file).trim(), pid.to_string());
    }
    kill(pids[0]);
    court.wait("redis-server", "running", 2);
    assert!(lives(pids[1]), "what happens to one is nothing to the other");
    court.stop();
    assert!(pids.iter().all(|pid| !lives(*pid)));
}

#[test]
fn a_dedicated_postgresql_with_its_postmaster_pid() {
    let binaries = Path::new("/usr/lib/postgresql");
    let Some(version) = binaries.read_dir().ok().and_then(|mut all| all.next()) else {
        return eprintln!("skipped: no PostgreSQL");
    };
    let binaries = version.unwrap().path().join("bin");
    let postgres = binaries.join("postgres").display().to_string();
    let place = place(&format!(
        "attach-daemon2 = pidfile=DIR/d/db/postmaster.pid,stopsignal=INT,cmd={postgres} -D DIR/d/db -k DIR/d -c listen_addresses="
    ));
    let mut initdb = Command::new("setpriv");
    initdb.args(["--reuid=33", "--regid=33", "--clear-groups"]).arg(binaries.join("initdb"));
    let made = initdb.args(["-A", "trust", "-N", "-D"]).arg(place.path("d/db")).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut court = Court::at(place);
    let first = court.wait("postgres", "running", 1);
    ask(&court.place);
    assert!(court.place.read("d/db/postmaster.pid").starts_with(&format!("{first}\n")));
    // The worst that can happen to it: nobody is left who could remove the file.
    kill(first);
    court.wait("postgres", "running", 2);
    ask(&court.place);
    court.forget();
    let path = court.place.path("v.ini");
    court.vassal.hand_over(1, &path);
    let second = court.wait("postgres", "running", 2);
    ask(&court.place);
    let directory = court.place.path("d/db").display().to_string();
    let outcome = court.stop();
    assert!(!lives(second), "{}", outcome.errors);
    assert!(with_word(&directory).is_empty());
}

fn ask(place: &Place) {
    let directory = place.path("d").display().to_string();
    until("an answer of the database", || {
        let mut psql = Command::new("psql");
        psql.args(["-h", &directory, "-U", "www-data", "-d", "postgres", "-Atc", "select 6 * 7"]);
        psql.output().ok().filter(|output| output.stdout == b"42\n").map(drop)
    });
}

const TASKS: &str = "from celery import Celery
app = Celery('tasks', broker='filesystem://')
app.conf.broker_transport_options = {'data_folder_in': 'queue', 'data_folder_out': 'queue', 'data_folder_processed': 'queue'}
app.conf.beat_schedule = {'each': {'task': 'tasks.work', 'schedule': 0.2}}
@app.task
def work():
    open('worked', 'a').write('x')
";

#[test]
fn a_worker_of_celery_and_its_beat() {
    let place = place(
        "smart-attach-daemon = DIR/d/celery.pid python3 -m celery -A tasks worker -c 1 --pidfile=DIR/d/celery.pid\n\
         attach-daemon2 = name=beat,cmd=python3 -m celery -A tasks beat --pidfile= -s DIR/d/schedule\n\
         env = PYTHONPATH=DIR/d\nenv = HOME=DIR/d\n",
    );
    std::fs::write(place.path("d/tasks.py"), TASKS).unwrap();
    let queue = place.path("d/queue");
    std::fs::create_dir(&queue).unwrap();
    std::os::unix::fs::chown(&queue, Some(USER), Some(USER)).unwrap();
    let mut court = Court::at(place);
    let pids = [court.wait("python3", "running", 1), court.wait("beat", "running", 1)];
    let worked = |place: &Place| place.read("d/worked").len();
    until("work that is done", || (worked(&court.place) > 0).then_some(()));
    // Its pool is left without a parent, and is gone before another one is started.
    kill(pids[0]);
    court.wait("python3", "running", 2);
    let before = worked(&court.place);
    until("more work", || (worked(&court.place) > before).then_some(()));
    let directory = court.place.path("d").display().to_string();
    court.stop();
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert!(with_word(&directory).is_empty());
}
