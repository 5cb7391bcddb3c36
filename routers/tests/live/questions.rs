//! Questions, and rules that change while packets go.

use std::os::fd::{AsFd, OwnedFd};

use routers::tuntap::talk::{Say, Word};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::emperor::{Emperor, charter};
use crate::jail::{Client, Jail};
use crate::peers::{connect, echo, ping, round_trip};

fn rules(text: &str, seals: SealFlags) -> OwnedFd {
    let file = memfd_create("rules", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::pwrite(&file, text.as_bytes(), 0).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

#[test]
fn rules_change_at_once_and_outlive_the_router() {
    let mut emperor = Emperor::new(charter());
    let jail = Jail::labelled(&emperor, (1001, "shop"), &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    assert!(ping(&jail.network, "10.77.0.1:7000"));
    let (mut root, _) = Client::hello(&emperor, 0);
    let (generation, text) = root.ask(&Say::Rules);
    assert_eq!(text, "out allow any 10.77.0.1\nout allow any fd77::1\n");
    let sealed = SealFlags::WRITE | SealFlags::SHRINK;
    let mut replace = |generation, text, seals| {
        root.say(&Say::Replace { generation }, &[rules(text, seals).as_fd()]);
        root.word()
    };
    let wrong = replace(Some(generation), "out allow any 10.77.0.1\nout alow any", sealed);
    assert!(matches!(&wrong, Word::Refused(why) if why.starts_with("line 2, column 5")), "{wrong:?}");
    let open = replace(None, "out allow", SealFlags::empty());
    assert!(matches!(&open, Word::Refused(why) if why.contains("sealed")), "{open:?}");
    let denied = "out deny any 10.77.0.1 peer 1001/shop\nout allow";
    assert_eq!(replace(Some(generation), denied, sealed), Word::Done(generation + 1));
    let stale = replace(Some(generation), "out allow", sealed);
    assert!(matches!(&stale, Word::Refused(why) if why.contains("by now")), "{stale:?}");
    emperor.kill();
    emperor.start();
    jail.network.within(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(b"x", "10.77.0.1:7000").unwrap();
    });
    emperor.wait_for_stats("\"denied\":1");
    let (mut root, _) = Client::hello(&emperor, 0);
    assert_eq!(root.ask(&Say::Rules).1, format!("{denied}\n"));
    root.say(&Say::Replace { generation: None }, &[rules("out allow", sealed).as_fd()]);
    assert!(matches!(root.word(), Word::Done(_)));
    round_trip(&connect(&jail.network, "10.77.0.1:7000").unwrap(), 100_000);
}

#[test]
fn a_user_sees_his_own_peers_alone() {
    let emperor = Emperor::new(charter());
    let _shop = Jail::labelled(&emperor, (1001, "shop"), &[]);
    let _blog = Jail::labelled(&emperor, (1002, "blog"), &[]);
    let (mut tenant, _) = Client::hello(&emperor, 1001);
    let table = tenant.ask(&Say::Table).1;
    assert!(
        table.contains("1001/shop") && !table.contains("1002") && !table.contains("\"rules\""),
        "{table}"
    );
    let (mut root, _) = Client::hello(&emperor, 0);
    let table = root.ask(&Say::Table).1;
    assert!(table.contains("1001/shop") && table.contains("1002/blog") && table.contains("\"rules\""));
}

#[test]
fn stats_begin_with_a_header_where_a_browser_reads_them() {
    let mut charter = charter();
    charter.stats_http = true;
    let emperor = Emperor::new(charter);
    let _jail = Jail::new(&emperor, 1001, &["10.77.0.2"]);
    let stats = emperor.wait_for_stats("\"addr\":\"10.77.0.2\",\"addr_32\":33574154");
    assert!(stats.starts_with("HTTP/1.0 200 OK\r\n") && stats.contains("\r\n\r\n{\"version\":"), "{stats}");
    // Whoever asks and does not read keeps nobody waiting.
    let idle: Vec<_> =
        (0..50).map(|_| std::os::unix::net::UnixStream::connect(emperor.path("stats")).unwrap()).collect();
    emperor.wait_for_stats("10.77.0.2");
    drop(idle);
}
