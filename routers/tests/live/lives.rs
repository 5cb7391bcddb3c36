//! Peers who live, and live on when their router dies.

use routers::tuntap::talk::Word;

use crate::emperor::{Emperor, charter};
use crate::jail::{Client, Jail};
use crate::peers::{connect, echo, ping, round_trip};

#[test]
fn two_jails_reach_the_host_and_not_each_other() {
    let emperor = Emperor::new(charter());
    let shop = Jail::new(&emperor, 1001, &[]);
    let blog = Jail::new(&emperor, 1002, &["10.77.0.9", "fd77::9"]);
    echo(&emperor.host, "10.77.0.1:7000");
    echo(&emperor.host, "[fd77::1]:7000");
    for jail in [&shop, &blog] {
        round_trip(&connect(&jail.network, "10.77.0.1:7000").unwrap(), 5_000_000);
        round_trip(&connect(&jail.network, "[fd77::1]:7000").unwrap(), 100_000);
        assert!(ping(&jail.network, "10.77.0.1:7000"));
    }
    echo(&blog.network, "10.77.0.9:7000");
    assert!(ping(&emperor.host, "10.77.0.9:7000"), "the host reaches a jail");
    shop.network.run("ip route replace 10.77.0.9 dev net0");
    let address = "10.77.0.9:7000".parse().unwrap();
    let refused = shop.network.within(move || {
        std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(300)).is_err()
    });
    assert!(refused, "a neighbour");
    emperor.wait_for_stats("\"denied\":");
}

#[test]
fn a_tenant_gets_the_address_again_that_it_had() {
    let mut emperor = Emperor::new(charter());
    let first = Jail::labelled(&emperor, (1001, "shop.ini"), &[]);
    let second = Jail::labelled(&emperor, (1001, "blog.ini"), &[]);
    let (had, others) = (first.addresses.clone(), second.addresses.clone());
    assert_ne!(had, others);
    let (mut client, _) = Client::hello(&emperor, 1001);
    let word = client.claim(&[], "shop.ini", None);
    assert!(matches!(&word, Word::Refused(why) if why.contains("`shop.ini` is there already")), "{word:?}");
    drop((first, second, client));
    emperor.wait_for_parked(0);
    let lines = [format!("{} 1001:shop.ini\n", had[0]), format!("{} 1001:blog.ini\n", others[0])];
    emperor.wait_for_leases(&lines);
    emperor.kill();
    emperor.start();
    // Whoever comes by itself does not get what is lent to somebody who is away.
    let (mut thief, _) = Client::hello(&emperor, 1002);
    let word = thief.claim(&[&had[0]], "x", None);
    assert!(matches!(word, Word::Refused(_)), "{word:?}");
    let second = Jail::labelled(&emperor, (1001, "blog.ini"), &[]);
    assert_eq!(second.addresses, others);
    let first = Jail::labelled(&emperor, (1001, "shop.ini"), &[]);
    assert_eq!(first.addresses, had);
}

#[test]
fn a_tenant_has_what_its_administrator_gave_it() {
    let mut charter = charter();
    charter.open = false;
    charter.peers =
        vec!["uid=1001 addr=10.77.0.5 name=shop".into(), "uid=1001 addr=10.77.0.6 name=blog".into()];
    let emperor = Emperor::new(charter);
    let (client, welcome) = Client::hello(&emperor, 1001);
    assert_eq!(welcome.given, [("10.77.0.5".parse().unwrap(), 24), ("10.77.0.6".parse().unwrap(), 24)]);
    assert_eq!((welcome.mtu, welcome.mtu_beyond), (65000, 1500));
    drop(client);
    let blog = Jail::labelled(&emperor, (1001, "blog"), &[]);
    assert_eq!(blog.addresses, ["10.77.0.6"]);
    let other = Jail::labelled(&emperor, (1001, "whatever.ini"), &[]);
    assert_eq!(other.addresses, ["10.77.0.5"]);
    let (mut third, _) = Client::hello(&emperor, 1001);
    let word = third.claim(&[], "third", None);
    assert!(matches!(&word, Word::Refused(why) if why.contains("in use")), "{word:?}");
    let (mut stranger, _) = Client::hello(&emperor, 1002);
    let word = stranger.claim(&["10.77.0.5"], "x", None);
    assert!(matches!(&word, Word::Refused(why) if why.contains("uid=1002")), "{word:?}");
}

#[test]
fn an_open_connection_outlives_the_router() {
    let mut emperor = Emperor::new(charter());
    let jail = Jail::new(&emperor, 1001, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&jail.network, "10.77.0.1:7000").unwrap();
    round_trip(&stream, 100_000);
    emperor.wait_for_parked(1);
    for _ in 0..3 {
        emperor.kill();
        emperor.start();
        round_trip(&stream, 1_000_000);
    }
    emperor.wait_for_stats("\"uid\":1001");
    drop(jail);
    emperor.wait_for_parked(0);
}

#[test]
fn what_was_counted_outlives_the_router() {
    let mut emperor = Emperor::new(charter());
    let jail = Jail::labelled(&emperor, (1001, "shop"), &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    round_trip(&connect(&jail.network, "10.77.0.1:7000").unwrap(), 1_000_000);
    let bytes = |stats: &str| -> u64 {
        let account =
            stats.split("\"name\":\"1001/shop\",\"sent\":{\"packets\":").nth(1).expect("an account");
        account.split("\"bytes\":").nth(1).unwrap().split([',', '}']).next().unwrap().parse().unwrap()
    };
    // What comes after an answer knows of all that was before it; a last answer tells that it is whole.
    let counts = || assert!(ping(&jail.network, "10.77.0.1:7000"));
    counts();
    let before = emperor.writings();
    let begin = std::time::Instant::now();
    while emperor.writings() == before {
        counts();
        assert!(begin.elapsed() < crate::emperor::PATIENCE, "nothing is written");
    }
    counts();
    emperor.kill();
    emperor.start();
    let stats = emperor.stats();
    assert!(bytes(&stats) >= 1_000_000, "{stats}");
}

#[test]
fn whoever_has_said_nothing_yet_outlives_the_router_too() {
    let mut charter = charter();
    charter.peers_max = 4;
    let mut emperor = Emperor::new(charter);
    let mut silent: Vec<Client> = (0..4).map(|_| Client::silent(&emperor)).collect();
    emperor.wait_for_parked(2);
    emperor.kill();
    emperor.start();
    // Two of them have lost their connection; all places are for peers who want them.
    let first = silent.iter_mut().position(|client| {
        client.stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        !client.is_closed()
    });
    let greeting = b"uwsgi-tuntap";
    silent[first.expect("one that lives")].send_as(1003, greeting);
    let peers: Vec<Jail> = (0..3).map(|uid| Jail::new(&emperor, 1010 + uid, &[])).collect();
    echo(&emperor.host, "10.77.0.1:7000");
    emperor.kill();
    emperor.start();
    assert!(peers.iter().all(|jail| ping(&jail.network, "10.77.0.1:7000")));
}

#[test]
fn a_lease_that_nobody_has_written_down_outlives_the_router() {
    let mut charter = charter();
    charter.open = false;
    let mut emperor = Emperor::new(charter);
    let jail = Jail::new(&emperor, 1001, &[]);
    let other = Jail::labelled(&emperor, (1001, "other"), &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&other.network, "10.77.0.1:7000").unwrap();
    emperor.wait_for_parked(2);
    for _ in 0..3 {
        emperor.kill();
        std::fs::write(emperor.path("leases"), "").unwrap();
        emperor.start();
        round_trip(&stream, 100_000);
        assert!(ping(&jail.network, "10.77.0.1:7000"));
    }
}

#[test]
fn packets_of_whoever_has_no_device_go_through_its_connection() {
    let mut emperor = Emperor::new(charter());
    echo(&emperor.host, "10.77.0.1:7000");
    let (mut client, _) = Client::hello(&emperor, 1001);
    let word = client.claim(&["10.77.0.9"], "x", None);
    assert_eq!(word, Word::Held(vec![("10.77.0.9".parse().unwrap(), 24)]));
    let mut question = crate::attacks::packet([10, 77, 0, 9], [10, 77, 0, 1], 60_000);
    for _ in 0..2 {
        client.write(&crate::attacks::frame(0, &question));
        let answer = client.packet();
        assert_eq!((answer.len(), &answer[12..20]), (60_000, &[10, 77, 0, 1, 10, 77, 0, 9][..]));
        assert!(answer[28..] == question[28..]);
        emperor.wait_for_parked(1);
        emperor.kill();
        emperor.start();
    }
    question.truncate(100);
    client.write(&crate::attacks::frame(0, &question));
    emperor.wait_for_stats("\"length\":1");
}

#[test]
fn a_device_of_the_host_may_be_down_for_a_while() {
    let emperor = Emperor::new(charter());
    let jail = Jail::new(&emperor, 1001, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&jail.network, "10.77.0.1:7000").unwrap();
    for network in [&emperor.host, &jail.network] {
        let device = if network.is(&jail.network) { "net0" } else { "emperor0" };
        network.run(&format!("ip link set {device} down"));
        jail.network.within(|| {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            let _ = socket.send_to(b"x", "10.77.0.1:7000");
        });
        network.run(&format!("ip link set {device} up"));
        if device == "net0" {
            network.run("ip route add default dev net0");
        }
        assert!(ping(&jail.network, "10.77.0.1:7000"));
    }
    round_trip(&stream, 100_000);
}
