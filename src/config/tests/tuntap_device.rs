//! Networks by routers in the config of a vassal: what is taken, and each mistake with its place.

use super::vassal::{read, refused};

#[test]
fn a_network_by_a_router_is_addresses_or_none_a_router_and_what_else_is_said_of_it() {
    let shown = |text: &str| {
        let config = read(&format!("command = a\n{text}"));
        config.net.vias.iter().map(|via| format!("{}\n", via.value)).collect::<String>()
    };
    insta::assert_snapshot!(shown("net = 10.0.0.2/24 via emperor0\nnet = auto via /run/t.socket dev=lan0\nnet = 10.0.0.3/24,fd00::3/64 via emperor0 dev=b mtu=1400 route=none\n"), @r"
    give the jail tun0, a network by router emperor0, with address 10.0.0.2/24
    give the jail lan0, a network by router /run/t.socket, with an address that it chooses
    give the jail b, a network by router emperor0, with address 10.0.0.3/24, fd00::3/64, mtu 1400, no default route
    ");
    assert!(read("command = a\nnet = auto via emperor0\n").net.is_own());
}

#[test]
fn each_mistake_of_a_network_by_a_router_has_its_place_and_its_cure() {
    insta::assert_snapshot!(refused(
        "command = a
net = via emperor0
net = 10.0.0.2 via emperor0
net = 10.0.0.2/24,10.0.0.2/24 via emperor0 dev=a
net = 224.0.0.1/4 via emperor0 dev=b
net = auto via emperor0123456789 dev=c
net = auto via emperor0 dev=lo
net = auto via emperor0 dns=resolver
net = auto via emperor0 mtu=9
net = auto via emperor0 metric=9
tuntap-device = uwsgi0123456789a /run/t.socket
tuntap-device = uwsgi0 t.socket
tuntap-device = uwsgi0 /run/t.socket more
tuntap-device-rule = out 10.0.0.1 10.0.0.2 alow
tuntap-device-rule = out 10.0.0.1 10.0.0.2 route
tuntap-device-rule = out fd00::1 10.0.0.2 deny
"
    ), @r"
    a.ini:3:7: `net`: `via emperor0` names no router
      net = via emperor0
            ^
      write ADDRESS/LENGTH[,…] via ROUTER or auto via ROUTER, then what you like of dev=NAME mtu=BYTES dns=ADDRESS[,…]|none route=none
    a.ini:4:7: `net`: `10.0.0.2` is no address with a length
      net = 10.0.0.2 via emperor0
            ^
      write ADDRESS/LENGTH, such as 10.0.0.2/24 or fd00::2/64
    a.ini:5:7: `net`: `10.0.0.2/24` is one too many
      net = 10.0.0.2/24,10.0.0.2/24 via emperor0 dev=a
            ^
      write each once, at most eight
    a.ini:6:7: `net`: `224.0.0.1/4` is no address of a host
      net = 224.0.0.1/4 via emperor0 dev=b
            ^
      use an address that one host can have
    a.ini:7:7: `net`: `emperor0123456789` is no interface
      net = auto via emperor0123456789 dev=c
            ^
      use a name of at most 15 bytes, such as lo
    a.ini:8:7: `net`: `lo` is no name for a device
      net = auto via emperor0 dev=lo
            ^
      use one such as tun0
    a.ini:9:7: `net`: `resolver` is no address
      net = auto via emperor0 dns=resolver
            ^
      write dns=ADDRESS[,ADDRESS] or dns=none
    a.ini:10:7: `net`: no packet has 9 bytes
      net = auto via emperor0 mtu=9
            ^
      use 68 to 65536, such as 1500
    a.ini:11:7: `net`: `metric=9` means nothing here
      net = auto via emperor0 metric=9
            ^
      write ADDRESS/LENGTH[,…] via ROUTER or auto via ROUTER, then what you like of dev=NAME mtu=BYTES dns=ADDRESS[,…]|none route=none
    a.ini:12:17: `tuntap-device`: `uwsgi0123456789a` is no interface
      tuntap-device = uwsgi0123456789a /run/t.socket
                      ^
      use a name of at most 15 bytes, such as lo
    a.ini:13:17: `tuntap-device`: `t.socket` is no absolute path of a socket
      tuntap-device = uwsgi0 t.socket
                      ^
      write the path that the router has in `tuntap-router`, such as /run/tuntap.socket
    a.ini:14:17: `tuntap-device`: `uwsgi0 /run/t.socket more` is no device with its router
      tuntap-device = uwsgi0 /run/t.socket more
                      ^
      write the name of the device, a space, and the path of the router's socket
    a.ini:15:44: `tuntap-device-rule`: `alow` is no action
      tuntap-device-rule = out 10.0.0.1 10.0.0.2 alow
                                                 ^
      write: in|out SOURCE[/LENGTH] DESTINATION[/LENGTH] allow|deny|route|gateway [ADDRESS:PORT]
    a.ini:16:49: `tuntap-device-rule`: the gateway is missing
      tuntap-device-rule = out 10.0.0.1 10.0.0.2 route
                                                      ^
      write: in|out SOURCE[/LENGTH] DESTINATION[/LENGTH] allow|deny|route|gateway [ADDRESS:PORT]
    a.ini:17:26: `tuntap-device-rule`: rules of a device are of version 4
      tuntap-device-rule = out fd00::1 10.0.0.2 deny
                               ^
      leave version 6 to the router's rules
    ");
}

#[test]
fn two_devices_have_two_names() {
    insta::assert_snapshot!(refused(
        "command = a
net = auto via emperor0
net = auto via emperor1
net = veth:uwsgi0
tuntap-device = uwsgi0
"
    ), @r"
    a.ini:4:7: an interface tun0 is there already (a.ini:3:7)
      net = auto via emperor1
            ^
      give it another name (dev=NAME beside `via`)
    a.ini:6:17: an interface uwsgi0 is there already (a.ini:5:7)
      tuntap-device = uwsgi0
                      ^
      give it another name (dev=NAME beside `via`)
    ");
    let one = "command = a\nnet = none\nnet = auto via emperor0\n";
    assert!(refused(one).contains("`net = none` beside another interface"));
}

#[test]
fn a_device_has_as_many_rules_as_a_router_takes() {
    let rules = |count| "tuntap-device-rule = out 10.0.0.1 10.0.0.2 deny\n".repeat(count);
    assert_eq!(read(&format!("command = a\n{}", rules(64))).tuntap.records().len(), 64 * 24);
    assert!(refused(&format!("command = a\n{}", rules(65))).contains("more than 64 rules"));
}
