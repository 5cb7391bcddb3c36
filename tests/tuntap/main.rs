//! Jails on a network by a router, under an Emperor, as an administrator has them. Rows W of the list of known attacks.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;
mod world;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{ALICE, BOB, Process, Start, Tree, eventually};
use rustix::process::Signal;
use world::{ROUTER, Talk, WORLD, World, datagram, inside};

const SLEEP: &str = "net = auto via emperor0\ncommand = sleep infinity\n";

/// Two tenants in the default jail.
fn two_tenants(options: &[&str]) -> (World, Process, Process) {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", SLEEP);
    tree.vassal_of(BOB, "bob.ini", SLEEP);
    let world = World::of_tenants(tree, options);
    let [alice, bob] = ["alice.ini", "bob.ini"].map(|name| runs(&world, name));
    (world, alice, bob)
}

/// The process of a vassal that runs its command.
fn runs(world: &World, name: &str) -> Process {
    let vassal = world.emperor.vassal(name);
    world.emperor.wait_stats(name, |one| one["state"] == "running");
    vassal
}

/// Its address of version 4.
fn address(process: &Process) -> String {
    eventually("an address", || {
        let (_, text) = inside(process, "ip -4 -o address show scope global");
        let address = text.split_whitespace().skip_while(|word| *word != "inet").nth(1)?;
        Some(address.split('/').next()?.to_owned())
    })
}

/// Row W5.
#[test]
fn two_tenants_reach_the_world_and_nobody_near() {
    let (world, alice, bob) = two_tenants(&[]);
    assert_ne!(address(&alice), address(&bob));
    for tenant in [&alice, &bob] {
        assert_eq!(Talk::open(tenant, WORLD).ask("hello"), "answer hello");
        let (_, pings) = inside(tenant, &format!("ping -c 1 -W 20 {WORLD}"));
        assert!(pings.contains("1 received"), "{pings}");
        inside(tenant, &datagram(WORLD, 7777, "by-udp"));
        world.outside.lines.wait_since(0, |line| line == "udp 203.0.113.2 by-udp");
    }
    // A server of the host on all of its addresses.
    let mut server = Command::new("nsenter");
    let network = format!("--net=/proc/{}/ns/net", world.emperor.process.pid);
    server.arg(network).arg("python3").arg(world::program("outside.py"));
    let server = world::Kept::start(&mut server);
    server.lines.wait_since(0, |line| line == "ready");
    world.drops("denied", &alice, &datagram(&address(&bob), 7777, "near"));
    for near in [ROUTER, "203.0.113.2", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1"] {
        world.drops("denied", &alice, &datagram(near, 7777, "near"));
        world.drops(
            "denied",
            &alice,
            &format!("timeout 1 python3 {} {near}", world::program("converse.py").display()),
        );
    }
    assert!(!server.lines.has(|line| line.contains("near")), "{:?}", server.lines.all());
    assert!(!world.outside.lines.has(|line| line.contains("near")), "{:?}", world.outside.lines.all());
    drop(server);
    world.emperor.stop();
}

/// What stands in the first blocks of this kind.
fn blocks<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_first_lines_of_the_manual_bring_two_jails_to_the_internet() {
    let manual =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/network.md")).unwrap();
    let (configs, commands) = (blocks(&manual, "ini"), blocks(&manual, "sh"));
    let (emperors, vassals) = (configs[0], configs[1]);
    // Beside what says where things are and what runs, it is five lines.
    let lines =
        |text: &str| text.lines().filter(|line| !line.starts_with('[') && !line.contains("command")).count();
    assert_eq!(lines(emperors) + lines(vassals), 5);
    let tree = Tree::new();
    let here = |text: &str| {
        text.replace("/srv/vassals", &tree.vassals().display().to_string())
            .replace("/run/tuntap.socket", &tree.path("run/router.sock").display().to_string())
            .replace("/srv/shop/serve", "sleep infinity")
    };
    let config = tree.path("emperor.ini");
    tree.place(&config, 0, &here(emperors));
    for (owner, name) in [(ALICE, "alice.ini"), (BOB, "bob.ini")] {
        let text = here(vassals);
        tree.vassal_of(owner, name, text.strip_prefix("[uwsgi]\n").unwrap());
    }
    let world = World::begin(Start::bare(tree).option(config), commands[0]);
    for name in ["alice.ini", "bob.ini"] {
        assert_eq!(Talk::open(&runs(&world, name), WORLD).ask("hello"), "answer hello");
    }
    world.emperor.stop();
}

#[test]
fn the_example_runs_as_it_says() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/networks");
    let text = |name: &str| std::fs::read_to_string(examples.join(name)).unwrap();
    let tree = Tree::new();
    let config = tree.path("emperor.ini");
    let here = text("emperor.ini")
        .replace("/srv/vassals", &tree.vassals().display().to_string())
        .replace("/run/tuntap", &tree.path("run/tuntap").display().to_string());
    tree.place(&config, 0, &here);
    for (owner, name) in [(ALICE, "shop.ini"), (BOB, "wiki.ini")] {
        tree.place(&tree.vassals().join(name), owner, &text(&format!("vassals/{name}")));
    }
    let checked = common::liege(&["check", &config.display().to_string()]);
    assert!(checked.status.success(), "{checked:?}");
    let world = World::begin(Start::bare(tree).option(config), "");
    let [shop, wiki] = ["shop.ini", "wiki.ini"].map(|name| runs(&world, name));
    assert_eq!((address(&shop), address(&wiki)), ("10.77.0.5".to_owned(), "10.77.0.2".to_owned()));
    let (_, names) = inside(&wiki, "ip -6 -o address show scope global");
    assert!(names.contains("fd77::"), "{names}");
    let stats = std::os::unix::net::UnixStream::connect(world.emperor.tree.path("run/tuntap-stats.socket"));
    let stats: serde_json::Value = serde_json::from_reader(stats.unwrap()).unwrap();
    let peers = stats["peers"].as_array().unwrap();
    assert!(peers.iter().any(|peer| peer["name"] == "shop" && peer["addr"] == "10.77.0.5"), "{stats}");
    world.emperor.stop();
}

#[test]
fn a_program_in_the_default_jail_has_names_and_the_world() {
    let tree = Tree::new();
    let ask = format!(
        "net = auto via emperor0 dns=203.0.113.53\ncommand = python3 -c \"import socket; s = socket.create_connection(('{WORLD}', 7777)); s.sendall(b'from-the-jail\\n'); print('> ' + s.recv(100).decode() + '> ' + open('/etc/resolv.conf').read(), flush=True); import time; time.sleep(1000)\"\n"
    );
    tree.vassal_of(ALICE, "alice.ini", &ask);
    let world = World::of_tenants(tree, &[]);
    world.emperor.wait_for_line(|line| line == "> answer from-the-jail");
    world.emperor.wait_for_line(|line| line == "> nameserver 203.0.113.53");
    world.outside.lines.wait_since(0, |line| line == "tcp 203.0.113.2 from-the-jail");
    world.emperor.stop();
}

#[test]
fn a_router_that_is_killed_comes_back_with_all_connections() {
    let (world, alice, bob) = two_tenants(&[]);
    let mut talks = [&alice, &bob].map(|tenant| Talk::open(tenant, WORLD));
    for round in 0..3 {
        talks
            .iter_mut()
            .for_each(|talk| assert_eq!(talk.ask(&format!("{round}")), format!("answer {round}")));
        let (router, mark) = (world.router(), world.emperor.lines.mark());
        router.signal(Signal::KILL);
        world.emperor.lines.wait_since(mark, |line| line.contains("serves; 2 peers were handed over"));
        talks.iter_mut().for_each(|talk| assert_eq!(talk.ask("again"), "answer again"));
    }
    assert!(alice.is_alive() && bob.is_alive());
    drop(talks);
    world.emperor.stop();
}

/// Row W6.
#[test]
fn a_router_goes_on_whose_log_is_longer_than_any_file_of_its_own() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", SLEEP);
    let (log, begin) = (tree.path("log"), 600 << 20);
    std::fs::File::create(&log).unwrap().set_len(begin).unwrap();
    let start = world::with_router(tree).option("--emperor-tyrant").option("--logto").option(&log);
    let world = World::unheard(start, "");
    let said = || {
        let mut text = vec![0; 1 << 16];
        let file = std::fs::File::open(&log).unwrap();
        let length = std::os::unix::fs::FileExt::read_at(&file, &mut text, begin).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    eventually("a line of the router", || {
        said().lines().any(|line| line.contains("router=emperor0") && line.contains(" has 10.")).then_some(())
    });
    assert!(!said().contains("born again"), "{}", said());
    world.emperor.stop();
}

#[test]
fn rules_change_while_connections_go_on() {
    let (world, alice, bob) = two_tenants(&[]);
    let mut talk = Talk::open(&alice, WORLD);
    assert_eq!(talk.ask("one"), "answer one");
    assert!(world.net("rules ROUTER").unwrap().ends_with(": none (edition 1)\n"));
    let added = world.net(&format!("rules ROUTER add out deny any {WORLD} proto udp")).unwrap();
    assert!(added.ends_with(" are in force: 1 (edition 2)\n"), "{added}");
    world.drops("denied", &alice, &datagram(WORLD, 7777, "denied-by-rule"));
    assert_eq!(talk.ask("two"), "answer two");
    let rules = world.net("rules ROUTER").unwrap();
    assert!(rules.ends_with(&format!("\nout deny any {WORLD} proto udp\n")), "{rules}");
    world.net("rules ROUTER delete out 1").unwrap();
    eventually("a datagram in the world", || {
        inside(&alice, &datagram(WORLD, 7777, "allowed-again"));
        world.outside.lines.has(|line| line.ends_with("allowed-again")).then_some(())
    });
    assert!(!world.outside.lines.has(|line| line.ends_with("denied-by-rule")));
    // A neighbour is opened by a rule, in one piece with another.
    let file = world.emperor.tree.path("rules");
    let (from, to) = (address(&alice), address(&bob));
    std::fs::write(&file, format!("# both ways\nout allow {from} {to}\nout allow {to} {from}\n")).unwrap();
    world.net(&format!("rules ROUTER replace {}", file.display())).unwrap();
    let (_, pings) = inside(&alice, &format!("ping -c 1 -W 20 {to}"));
    assert!(pings.contains("1 received"), "{pings}");
    // A name that nobody has yet may be a misspelt one.
    let name = world.table()["peers"][0]["name"].as_str().unwrap().to_owned();
    let fine = world.net(&format!("rules ROUTER add out deny any 192.0.2.1 peer {name}")).unwrap();
    assert!(!fine.contains("warning"), "{fine}");
    let added = world.net("rules ROUTER add out deny peer nobodyhere").unwrap();
    assert!(added.contains("\nwarning: no peer is called `nobodyhere`"), "{added}");
    let wrong = world.net("rules ROUTER add out deny any 192.0.2.300").unwrap_err();
    assert!(wrong.contains("command line:1:14"), "{wrong}");
    assert_eq!(talk.ask("three"), "answer three");
    drop(talk);
    world.emperor.stop();
}

#[test]
fn what_a_tenant_has_sent_is_counted_across_his_reload_and_the_routers_end() {
    let (world, alice, _) = two_tenants(&[]);
    assert_eq!(Talk::open(&alice, WORLD).ask("hello"), "answer hello");
    let sent = |world: &World, of: &str| {
        let table = world.table();
        let accounts = table["accounts"].as_array().unwrap().iter();
        accounts
            .filter(|one| one["name"] == of)
            .map(|one| one["sent"]["packets"].as_u64().unwrap())
            .sum::<u64>()
    };
    let table = world.table();
    let peers = table["peers"].as_array().unwrap();
    let name = peers.iter().find(|peer| peer["uid"] == ALICE).unwrap()["name"].as_str().unwrap().to_owned();
    let before = sent(&world, &name);
    assert!(before >= 4, "{table}");
    let mark = world.emperor.lines.mark();
    world.emperor.tree.vassal_of(ALICE, "alice.ini", &format!("{SLEEP}; changed\n"));
    let again = world.emperor.vassal_since(mark, "alice.ini");
    assert_eq!(Talk::open(&again, WORLD).ask("hello"), "answer hello");
    assert!(sent(&world, &name) >= before + 4, "{}", world.table());
    let before = sent(&world, &name);
    // What was counted is written down within a second.
    eventually("the successor's count", || {
        std::thread::park_timeout(Duration::from_millis(1_100));
        let (router, mark) = (world.router(), world.emperor.lines.mark());
        router.signal(Signal::KILL);
        world.emperor.lines.wait_since(mark, |line| line.contains("2 peers were handed over"));
        (sent(&world, &name) >= before).then_some(())
    });
    world.emperor.stop();
}

/// A vassal of the real uWSGI, as its manual has it, on a network of its own.
fn real_uwsgi(world_options: &[&str], config: &str) -> Option<(World, Process)> {
    let uwsgi = ["/usr/bin/uwsgi-core", "/usr/bin/uwsgi"].into_iter().find(|path| Path::new(path).exists());
    let plugin = Path::new("/usr/lib/uwsgi/plugins/tuntap_plugin.so");
    let Some(uwsgi) = uwsgi.filter(|_| plugin.exists()) else {
        eprintln!("skipped: uWSGI or its tuntap plugin is not installed");
        return None;
    };
    let tree = Tree::new();
    let (socket, router) = (tree.dir_of(ALICE, "sockets").join("app.sock"), tree.path("run/router.sock"));
    let common = format!(
        "plugin = tuntap\nmaster = true\njailed = true\nuid = {ALICE}\ngid = {ALICE}\nsocket = {}\nvacuum = true\n\
         tuntap-device = uwsgi0 {}\n",
        socket.display(),
        router.display()
    );
    tree.vassal("app.ini", &format!("{common}{config}"));
    let options = [&["--binary-path", uwsgi, "--emperor-use-clone", "net"], world_options].concat();
    let world = World::new(tree, &options);
    let pid = world
        .emperor
        .wait_stats("app.ini", |one| one["accepting"] == 1 || one["pid"].as_i64() > Some(0))["pid"]
        .as_i64()
        .unwrap();
    let app = Process::of(i32::try_from(pid).unwrap());
    let network = |of: &Process| std::fs::read_link(format!("/proc/{}/ns/net", of.pid)).ok();
    eventually("a network of its own", || {
        (network(&app).is_some() && network(&app) != network(&world.emperor.process)).then_some(())
    });
    Some((world, app))
}

const BY_HAND: &str = "exec-as-root = ip address replace 10.123.0.9/24 dev uwsgi0
exec-as-root = ip link set uwsgi0 up
exec-as-root = ip route replace default via 10.123.0.1
";

#[test]
fn a_client_of_uwsgi_is_a_peer_like_any_other_and_outlives_the_router() {
    let Some((world, app)) = real_uwsgi(&[], BY_HAND) else { return };
    eventually("a way to the world", || inside(&app, &format!("ping -c 1 -W 1 {WORLD}")).0.then_some(()));
    let mut talk = Talk::open(&app, WORLD);
    for text in ["one", "two"] {
        assert_eq!(talk.ask(text), format!("answer {text}"));
        let (router, mark) = (world.router(), world.emperor.lines.mark());
        router.signal(Signal::KILL);
        world.emperor.lines.wait_since(mark, |line| line.contains("serves; 1 peers were handed over"));
        assert_eq!(talk.ask("again"), "answer again");
    }
    let table = world.table();
    let peers = table["peers"].as_array().unwrap();
    let peer = peers.iter().find(|peer| peer["addr"] == "10.123.0.9").unwrap();
    assert_eq!(peer["through"], "stream", "{table}");
    assert!(peer["sent"]["packets"].as_u64() > Some(0), "{table}");
    drop(talk);
    world.emperor.stop();
}

#[test]
fn a_client_of_uwsgi_says_who_it_is_and_gets_what_its_user_was_given() {
    let given = format!("uid={ALICE} addr=10.123.0.9");
    let options = ["--tuntap-use-credentials", "--tuntap-router-peer", &given];
    let config = format!("{BY_HAND}tuntap-use-credentials = true\n");
    let Some((world, app)) = real_uwsgi(&options, &config) else { return };
    eventually("a way to the world", || inside(&app, &format!("ping -c 1 -W 1 {WORLD}")).0.then_some(()));
    let table = world.table();
    assert_eq!(table["peers"][0]["uid"], ALICE, "{table}");
    world.emperor.stop();
}

/// Row W4.
#[test]
fn a_tenant_speaks_for_nobody_else_at_the_router() {
    let (world, _alice, bob) = two_tenants(&[]);
    let socket = world.emperor.tree.path("run/router.sock");
    // Bob, from outside of his jail: he has his own name only, and no say.
    let ids = ["--reuid", &BOB.to_string(), "--regid", &BOB.to_string(), "--clear-groups"].map(str::to_owned);
    let liege = world.emperor.tree.liege();
    let as_bob = |words: &str| {
        let mut command = Command::new("setpriv");
        command.args(&ids).arg(&liege).arg("net").args(words.split_whitespace());
        command.output().unwrap()
    };
    let socket = socket.display().to_string();
    let table: serde_json::Value =
        serde_json::from_slice(&as_bob(&format!("{socket} --json")).stdout).unwrap();
    let peers = table["peers"].as_array().unwrap();
    assert!(peers.iter().all(|peer| peer["uid"] == BOB), "{table}");
    assert!(peers.iter().any(|peer| peer["addr"] == address(&bob)), "{table}");
    assert!(table["accounts"].is_null() && table["rules"].is_null(), "{table}");
    for words in ["add out allow any any", "delete out 1", "replace /dev/null"] {
        let refused = as_bob(&format!("rules {socket} {words}"));
        assert_eq!(refused.status.code(), Some(1), "{words}");
    }
    let text = world.net("rules ROUTER").unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    world.emperor.stop();
}

/// Leaves what the router says unread on one connection after the other that it ends, until it gets none, and tries again without them.
const UNREAD: &str = r"
import select, socket, sys
def begin():
    one = socket.socket(socket.AF_UNIX)
    one.connect(sys.argv[1])
    try: one.send(b'\0\x0f\0\x01liege-tuntap/1\n' + b'no frame')
    except BrokenPipeError: pass
    poll = select.poll()
    poll.register(one, select.POLLRDHUP)
    assert poll.poll(30000)
    try: return one, one.recv(1, socket.MSG_PEEK) != b''
    except ConnectionResetError: return one, False
kept = []
for _ in range(1000):
    one, is_in = begin()
    kept.append(one)
    if not is_in: break
print('in' if is_in else 'refused', len(kept) > 3)
for one in kept: one.close()
print('in' if begin()[1] else 'refused')
";

/// Row W6. Under its filter a router counts what is unread.
#[test]
fn what_a_tenant_does_not_read_counts_for_him_after_his_connections_have_ended() {
    let world = World::of_tenants(Tree::new(), &["--tuntap-router-peers-of-user", "3"]);
    let socket = world.emperor.tree.path("run/router.sock");
    let ids = ["--reuid", &BOB.to_string(), "--regid", &BOB.to_string(), "--clear-groups"].map(str::to_owned);
    let mut command = Command::new("setpriv");
    command.args(&ids).args(["/usr/bin/python3", "-c", UNREAD]).arg(&socket);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "refused True\nin\n");
    world.emperor.stop();
}

/// Row W7.
#[test]
fn nobody_connects_to_what_a_neighbour_listens_on() {
    let tree = Tree::new();
    let socket = tree.dir_of(ALICE, "sockets").join("alice.sock");
    let listens = format!("socket = {}\n{SLEEP}", socket.display());
    tree.vassal_of(ALICE, "alice.ini", &listens);
    tree.vassal_of(BOB, "bob.ini", SLEEP);
    let world = World::of_tenants(tree, &[]);
    let [alice, bob] = ["alice.ini", "bob.ini"].map(|name| runs(&world, name));
    let connect = format!("import socket; socket.socket(socket.AF_UNIX).connect('{}')", socket.display());
    let as_user = |id: u32| {
        let id = id.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", &connect]);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_there, refused) = as_user(ALICE);
    assert!(is_there, "{refused}");
    let (_, refused) = as_user(BOB);
    assert!(refused.contains("PermissionError"), "{refused}");
    // By the network: a server in Alice's jail, which the world would not reach either.
    let mut server = Command::new("nsenter");
    server.arg(format!("--net=/proc/{}/ns/net", alice.pid)).arg("python3").arg(world::program("outside.py"));
    let server = world::Kept::start(&mut server);
    server.lines.wait_since(0, |line| line == "ready");
    let alices = address(&alice);
    let converse = format!("timeout 1 python3 {} {alices}", world::program("converse.py").display());
    world.drops("denied", &bob, &converse);
    world.drops("denied", &bob, &datagram(&alices, 7777, "hello"));
    assert_eq!(server.lines.all(), ["ready"]);
    drop(server);
    world.emperor.stop();
}
