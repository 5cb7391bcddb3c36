use super::super::packet::Piece;
use super::*;

fn device(rule: &str) -> Record {
    let (direction, rule) = Rule::device(rule).unwrap();
    Record::new(direction, &rule).unwrap()
}

fn packet(source: [u8; 4], destination: [u8; 4]) -> Packet {
    let (source, destination) = (source.into(), destination.into());
    Packet { source, destination, protocol: Some(1), ports: None, piece: Piece::Whole, established: false }
}

#[test]
fn a_record_is_what_uwsgi_reads() {
    let mut expected = vec![1];
    for number in [0x0a01_0200_u32, 0xffff_ff00, 0x0a00_0001, 0xffff_ffff] {
        expected.extend(number.to_ne_bytes());
    }
    expected.extend([2, 1, 2, 3, 4, 0x13, 0x88]);
    assert_eq!(device("out 10.1.2.3/24 10.0.0.1 gateway 1.2.3.4:5000").bytes().as_slice(), expected);
}

#[test]
fn records_come_back_as_they_went() {
    let rules =
        ["in 0.0.0.0 10.0.0.0/8 deny", "out any 10.1.0.0/16 allow", "out 10.0.0.2 any route 1.2.3.4:1"];
    let records: Vec<Record> = rules.into_iter().map(device).collect();
    let mut payload: Vec<u8> = records.iter().flat_map(Record::bytes).collect();
    assert_eq!(Record::parse_all(&payload), Ok(records.clone()));
    payload.extend([0; RECORD - 1]);
    assert_eq!(Record::parse_all(&payload), Ok(records), "the rest of a record is nothing");
}

/// Row W4.
#[test]
fn a_peer_has_a_bounded_number_of_rules() {
    assert!(Record::parse_all(&[0; RECORD * RECORDS_MAX]).is_ok());
    let refused = Record::parse_all(&[0; RECORD * (RECORDS_MAX + 1)]);
    assert_eq!(refused, Err(Breach::Rules(RECORDS_MAX + 1)));
}

#[test]
fn the_first_record_that_means_a_packet_holds() {
    let records =
        [device("out any 10.0.0.0/8 allow"), device("out any 0.0.0.0 deny"), device("in any any deny")];
    assert_eq!(judge(&records, Direction::Out, &packet([10, 0, 0, 2], [10, 9, 9, 9])), Action::Allow);
    assert_eq!(judge(&records, Direction::Out, &packet([10, 0, 0, 2], [11, 9, 9, 9])), Action::Deny);
    assert_eq!(judge(&records[..1], Direction::In, &packet([10, 0, 0, 2], [10, 9, 9, 9])), Action::Allow);
}

#[test]
fn an_old_client_means_what_it_has_sent() {
    // `out 10.1.2.3/24 0.0.0.0 deny` as uWSGI sends it: mask ff000000, and an address with bits that it does not cover.
    let mut bytes = [0; RECORD];
    bytes[0] = 1;
    bytes[1..5].copy_from_slice(&0x0a01_0203_u32.to_ne_bytes());
    bytes[5..9].copy_from_slice(&0xff00_0000_u32.to_ne_bytes());
    bytes[17] = 1;
    let records = Record::parse_all(&bytes).unwrap();
    assert_eq!(judge(&records, Direction::Out, &packet([10, 1, 2, 3], [10, 9, 9, 9])), Action::Allow);
    bytes[1..5].copy_from_slice(&0x0a00_0000_u32.to_ne_bytes());
    let records = Record::parse_all(&bytes).unwrap();
    assert_eq!(judge(&records, Direction::Out, &packet([10, 7, 7, 7], [10, 9, 9, 9])), Action::Deny);
}

/// Row W4.
#[test]
fn what_is_not_known_denies() {
    let mut bytes = [0; RECORD];
    bytes[17] = 3;
    let records = Record::parse_all(&bytes).unwrap();
    assert_eq!(judge(&records, Direction::In, &packet([10, 0, 0, 2], [10, 0, 0, 3])), Action::Deny);
}
