//! Networks of vassals: interfaces of the host, addresses, routes; in an outer network of each test's own, so that
//! nothing is changed for anybody else. The letters and numbers are rows of the list of known attacks.

use std::process::Command;

use super::emperor::{Outcome, Place, Vassal};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Says `hello` to everybody who connects, on both families.
const SERVER: &str = "import socket
server = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    server.accept()[0].sendall(b'hello')";

/// Asks that server at each address.
const CLIENT: &str = "import socket, sys
for address in sys.argv[1:]:
    print(address, socket.create_connection((address, 7000), 10).recv(9).decode(), flush=True)";

/// The kernel may need a moment until an address of IPv6 answers.
const PING: &str = "until ping -c 1 -W 1 $1 >/dev/null 2>&1; do sleep 0.1; done; echo $1 answered";

/// A bridge with addresses of both families.
const BRIDGE: &str = "ip link add br0 type bridge
ip address add 10.9.0.1/24 dev br0
ip address add fd09::1/64 dev br0 nodad
ip link set br0 up";

/// A vassal in a network of the test's own: `before` and `after` are done there by a shell.
fn outer(place: &Place, before: &str, after: &str) -> Command {
    let vassal = in_words(&place.command());
    let script =
        format!("set -e\nip link set lo up\n{before}\nset +e\n{vassal}\nstatus=$?\n{after}\nexit $status");
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", &script]).current_dir(place.path(""));
    command.env_clear().env("PATH", PATH);
    command
}

fn in_words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn run(config: &str, before: &str, after: &str) -> Outcome {
    let place = Place::new(config);
    std::fs::write(place.path("server.py"), SERVER).unwrap();
    std::fs::write(place.path("client.py"), CLIENT).unwrap();
    std::fs::write(place.path("ping.sh"), PING).unwrap();
    Outcome::of(&mut outer(&place, before, after))
}

fn fine(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), 0, "{}{}", outcome.output, outcome.errors);
    &outcome.output
}

/// Waits until the host's end is gone: the kernel takes a network apart a little after its last process.
const GONE: &str = "timeout 20 sh -c 'while ip link show web0 >/dev/null 2>&1; do sleep 0.05; done' && echo gone; ip -o link | cut -d: -f2";

#[test]
fn a_veth_in_a_bridge_carries_ping_and_tcp_of_both_families_and_goes_with_the_jail() {
    let config = "net = veth:eth0@web0 bridge=br0 mtu=1400 mac=02:00:00:00:00:07
net-address = 10.9.0.2/24
net-address = fd09::2/64
net-route = default via 10.9.0.1
net-route = default via fd09::1
wait-for-socket = 10.9.0.1:7000
exec-as-root = ip -o link show eth0; ip -o address show eth0; ip route; ip -6 route
exec-as-root = timeout 20 sh DIR/ping.sh 10.9.0.1 && timeout 20 sh DIR/ping.sh fd09::1
uid = 54321
gid = 54322
command = python3 DIR/client.py 10.9.0.1 fd09::1";
    let before = format!("{BRIDGE}\npython3 server.py & server=$!");
    let outcome = run(config, &before, &format!("kill $server\n{GONE}"));
    let output = fine(&outcome);
    for wanted in [
        "mtu 1400",
        "02:00:00:00:00:07",
        "inet 10.9.0.2/24",
        "inet6 fd09::2/64",
        "default via 10.9.0.1 dev eth0",
        "default via fd09::1 dev eth0",
        "10.9.0.1 answered",
        "fd09::1 answered",
        "10.9.0.1 hello",
        "fd09::1 hello",
        "gone",
    ] {
        assert!(output.contains(wanted), "{wanted} in {output}{}", outcome.errors);
    }
    assert!(output.ends_with("lo\n br0\n"), "{output}");
}

#[test]
fn a_veth_without_a_bridge_has_an_address_outside() {
    let config = "net = veth:web0 address=10.9.1.1/30
net-address = 10.9.1.2/30@web0
command = ping -c 1 -W 10 10.9.1.1";
    let outcome = run(config, "", GONE);
    assert!(fine(&outcome).contains("1 received"), "{}", outcome.output);
    assert!(outcome.output.ends_with("gone\n lo\n"), "{}", outcome.output);
}

#[test]
fn a_macvlan_stands_on_an_interface_of_the_host() {
    let before = "ip link add low type veth peer name far\nip link set low up\nip link set far up\nip address add 10.9.2.1/24 dev far";
    let config = "net = macvlan:lan@low mode=private mac=02:00:00:00:00:08
net-address = 10.9.2.2/24
exec-as-root = ip -d -o link show lan
command = ping -c 1 -W 10 10.9.2.1";
    let outcome = run(config, before, "ip -o link | wc -l");
    let output = fine(&outcome);
    for wanted in ["macvlan mode private", "02:00:00:00:00:08", "1 received"] {
        assert!(output.contains(wanted), "{wanted} in {output}");
    }
    assert!(output.ends_with("3\n"), "{output}");
}

#[test]
fn an_interface_moves_into_the_jail_under_another_name() {
    let before =
        "ip link add near type veth peer name far\nip address add 10.9.3.1/24 dev far\nip link set far up";
    let config = "net = move:eth0@near mtu=1300
net-address = 10.9.3.2/24
exec-as-root = ip -o link
command = ping -c 1 -W 10 10.9.3.1";
    let outcome = run(config, before, "");
    let output = fine(&outcome);
    assert!(
        output.contains(": eth0@") && output.contains("mtu 1300") && output.contains("1 received"),
        "{output}"
    );
    assert!(!output.contains("near"), "{output}");
}

/// What is told, and that the network outside is as it was.
fn refused(config: &str, before: &str) -> String {
    let before = format!("{before}\nip -o link | sort > before");
    let place = Place::new(config);
    let after =
        "timeout 20 sh -c 'until ip -o link | sort | cmp -s - before; do sleep 0.05; done' && echo as it was";
    let outcome = Outcome::of(&mut outer(&place, &before, after));
    assert_eq!((outcome.code(), outcome.output.as_str()), (1, "as it was\n"), "{}", outcome.errors);
    outcome.told().join("\n")
}

#[test]
fn a_failure_names_step_cause_and_cure_and_leaves_nothing_outside() {
    let told = |config: &str, before: &str, wanted: &[&str]| {
        let told = refused(&format!("{config}\ncommand = true"), before);
        wanted.iter().for_each(|wanted| assert!(told.contains(wanted), "{wanted} in {told}"));
    };
    told(
        "net = veth:eth0@web0",
        "ip link add web0 type bridge",
        &[
            "cannot give the jail veth eth0, its other end web0 outside: EEXIST",
            "(step 4 of ",
            "the name is taken",
        ],
    );
    told("net = veth:eth0@web0 bridge=br7", "", &["ENODEV: interface br7", "make it first"]);
    told("net = veth:eth0@web0 bridge=lo", "", &["cannot give the jail veth eth0"]);
    told("net = macvlan:lan@none0", "", &["ENODEV: interface none0"]);
    told("net = move:lo", "", &["cannot give the jail interface lo itself"]);
    // The link is there already when these fail.
    told(
        "net = veth:web0\nnet-route = default via 10.1.1.1",
        "",
        &["cannot set route default via 10.1.1.1: ENETUNREACH", "`net-address`"],
    );
    told(
        "net = veth:web0\nnet-address = 10.1.1.1/24\nnet-address = 10.1.1.1/24",
        "",
        &["cannot set address 10.1.1.1/24 of web0: EEXIST", "already"],
    );
    told("net = lo\nnet-address = 10.1.1.1/24@eth0", "", &["ENODEV: interface eth0", "wait-for-interface"]);
}

#[test]
fn a_kind_that_the_kernel_lacks_is_named() {
    let probe = "unshare --net sh -c 'ip link add low type bridge && ip link add x link low type ipvlan'";
    if Command::new("sh").args(["-c", probe]).status().unwrap().success() {
        eprintln!("skipped: this kernel has ipvlan");
        return;
    }
    let told = refused("net = ipvlan:lan@low\ncommand = true", "ip link add low type bridge");
    assert!(told.contains("EOPNOTSUPP") && told.contains("modprobe ipvlan"), "{told}");
}

/// Sockets it has, what an abstract name leads to, and whether the network of PID 1 can be entered.
const REACH: &str = "import os, socket
links = [os.readlink(f'/proc/self/fd/{fd}') for fd in range(100) if os.path.lexists(f'/proc/self/fd/{fd}')]
print([link for link in links if 'socket' in link], flush=True)
try:
    socket.socket(socket.AF_UNIX).connect(b'\\0outside')
    print('reached', flush=True)
except OSError as error:
    print(error.strerror, flush=True)
os.system('nsenter --net=/proc/1/ns/net true 2>/dev/null || echo closed')";

/// N2, N3: no descriptor of the network outside is left, no abstract socket of it is reached, its namespace cannot be
/// entered.
#[test]
fn nothing_leads_back_to_the_network_outside_n2_n3() {
    let before = "python3 -c 'import socket, time
server = socket.socket(socket.AF_UNIX)
server.bind(b\"\\0outside\")
server.listen()
print(\"ready\", flush=True)
time.sleep(1000)' > ready & server=$!
timeout 20 sh -c 'until grep -q ready ready; do sleep 0.05; done'";
    let place = Place::new("net = veth:eth0@web0\nuid = 54321\ngid = 54322\ncommand = python3 DIR/reach.py");
    std::fs::write(place.path("reach.py"), REACH).unwrap();
    let outcome = Outcome::of(&mut outer(&place, before, "kill $server"));
    assert_eq!(fine(&outcome), "[]\nConnection refused\nclosed\n", "{}", outcome.errors);
}

/// As root of a user namespace that has this one user.
pub fn tenant(place: &Place, jail: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        "61001",
        "--regid",
        "61001",
        "--clear-groups",
        "unshare",
        "--user",
        "--map-root-user",
    ]);
    let plain = place.command();
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(place.path(""));
    command.env_clear().env("PATH", PATH).env("LIEGE_JAIL", jail);
    command
}

#[test]
fn a_tenant_has_a_network_of_his_own_and_nothing_of_the_hosts() {
    let place = Place::new(
        "net = lo\nnet-address = 10.9.4.1/32@lo\nnet-address = fd09:4::1/128@lo\nnet-route = 10.9.5.0/24 dev lo
command = sh -c 'ip -o address; ip route; for address in 10.9.4.1 fd09:4::1; do timeout 20 sh DIR/ping.sh $address; done'",
    );
    std::fs::write(place.path("ping.sh"), PING).unwrap();
    let outcome = Outcome::of(&mut tenant(&place, "user"));
    let output = fine(&outcome);
    assert_eq!(output.matches("answered").count(), 2, "{output}");
    assert!(output.contains("10.9.5.0/24 dev lo"), "{output}");
    assert!(
        output
            .lines()
            .filter(|line| line.contains(": ") && line.contains("scope"))
            .all(|line| line.contains(" lo ")),
        "{output}"
    );
    for link in ["veth:eth0@web0", "macvlan:a@lo", "move:lo"] {
        let place = Place::new(&format!("net = {link}\ncommand = true"));
        // Even where it is said to be root of the host, the kernel knows better.
        for (jail, wanted) in [("user", "for root of the host"), ("", "cannot give the jail")] {
            let outcome = Outcome::of(&mut tenant(&place, jail));
            assert_eq!(outcome.code(), 1);
            assert!(outcome.errors.contains(wanted), "{link} {jail}: {}", outcome.errors);
        }
    }
}

#[test]
fn without_an_interface_not_even_the_vassal_itself_is_reached() {
    let outcome =
        run("net = none\ncommand = sh -c 'ip -o link | grep -c UP, ; ping -c 1 -W 1 127.0.0.1 2>&1'", "", "");
    assert_ne!(outcome.code(), 0, "{}", outcome.output);
    assert!(outcome.output.starts_with("0\n"), "{}", outcome.output);
}

/// The vassal has said that it has come this far.
fn waiting(config: &str) -> (Place, Vassal) {
    let place = Place::new(&format!("exec-pre-jail = echo here\n{config}"));
    let mut command = Command::new("unshare");
    let plain = place.command();
    command.args(["--net", "--mount"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(place.path("")).env_clear().env("PATH", PATH);
    let mut vassal = Vassal::start(command, None);
    assert_eq!(vassal.line(), "here");
    (place, vassal)
}

/// Something done in the namespaces of the vassal.
fn inside(vassal: &Vassal, words: &[&str]) {
    let pid = vassal.pid().to_string();
    let status = Command::new("nsenter").args(["--target", &pid, "--net", "--mount"]).args(words).status();
    assert!(status.unwrap().success(), "{words:?}");
}

#[test]
fn an_interface_is_waited_for_and_then_has_its_address() {
    let (_place, mut vassal) = waiting(
        "unshare = net\nwait-for-interface = late0\nnet-address = 10.9.6.1/24@late0\ncommand = sh -c 'ip -o -4 address show late0 | grep -o 10.9.6.1/24'\n\
         exec-post-jail = echo apart",
    );
    assert_eq!(vassal.line(), "apart");
    inside(&vassal, &["ip", "link", "add", "late0", "type", "bridge"]);
    assert_eq!(vassal.line(), "10.9.6.1/24");
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn files_mounts_and_sockets_are_waited_for() {
    let (place, mut vassal) = waiting(
        "wait-for-fs = DIR/a/b/any\nwait-for-file = DIR/file\nwait-for-dir = DIR/dir\nwait-for-mountpoint = DIR/mounted\n\
         wait-for-socket = DIR/socket\nexec-as-root = echo all\ncommand = echo done",
    );
    place.directory("mounted", 0, 0o755);
    std::fs::create_dir_all(place.path("a/b/any")).unwrap();
    // Of the wrong kind: neither counts.
    place.directory("file", 0, 0o755);
    std::fs::write(place.path("dir"), "").unwrap();
    std::fs::remove_dir(place.path("file")).unwrap();
    std::fs::write(place.path("file"), "").unwrap();
    std::fs::remove_file(place.path("dir")).unwrap();
    place.directory("dir", 0, 0o755);
    inside(&vassal, &["mount", "-t", "tmpfs", "none", &place.path("mounted").to_string_lossy()]);
    assert_eq!(vassal.line(), "all");
    let _listener = std::os::unix::net::UnixListener::bind(place.path("socket")).unwrap();
    assert_eq!(vassal.line(), "done");
    assert_eq!(vassal.end().code(), 0);
}

/// QUIRK-68: the kind counts. What does not come ends the vassal, and a stop is heard meanwhile.
#[test]
fn what_does_not_come_ends_the_vassal() {
    for (wait, told) in [
        ("wait-for-file = DIR\nwait-for-fs-timeout = 0", "only a regular file counts"),
        ("wait-for-dir = DIR/v.ini\nwait-for-fs-timeout = 0", "only a directory counts"),
        ("wait-for-mountpoint = DIR\nwait-for-fs-timeout = 0", "nothing came in 0 s"),
        (
            "wait-for-interface = none0\nwait-for-iface-timeout = 0",
            "wait for interface none0, at most 0 s: nothing came",
        ),
        ("wait-for-socket = DIR/none\nwait-for-socket-timeout = 0", "nothing came in 0 s"),
    ] {
        let outcome = Place::new(&format!("{wait}\ncommand = true")).run();
        assert_eq!(outcome.code(), 1, "{}", outcome.errors);
        assert!(outcome.errors.contains(told), "{told} in {}", outcome.errors);
    }
    let (_place, vassal) = waiting("wait-for-fs = DIR/never\ncommand = true");
    vassal.signal(rustix::process::Signal::TERM);
    assert_ne!(vassal.end().code(), 0);
}

/// The kernel takes a network apart some time after its last process; whoever starts again meanwhile waits for it.
#[test]
fn a_vassal_that_returns_at_once_gets_the_name_that_it_had() {
    let place = Place::new("net = veth:web0 address=10.9.7.1/30\ncommand = true");
    let vassal = in_words(&place.command());
    let again = format!("for round in 1 2 3 4 5 6 7 8; do {vassal} || exit; done; echo all");
    let outcome = Outcome::of(&mut outer(&place, "", &again));
    assert_eq!(fine(&outcome), "all\n", "{}", outcome.errors);
}
